"""result.json of drawn scans: volumes by hand, slices to check first, and nothing about patients or paths."""

import json
import platform
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from monai_gi.dicom.series import Series
from monai_gi.provenance import INTENDED_USE, Provenance
from monai_gi.scan import Scan
from monai_gi.writers.result import slices_to_check, write_result

MADE_BY = Provenance("segformer", "0.1.0", "5a" * 32, "0.9.9")
SIZE = (6, 9)


class Confidence(NamedTuple):
    entropy: np.ndarray
    disagreement: np.ndarray | None = None


def scan_of(numbers, step_mm=3.0, series=None):
    """Rows 1.5 mm, columns 2 mm, sheared along the rows by half a slice step."""
    affine = np.array([[0, -2.0, 0, 10], [-1.5, 0, step_mm / 2, 20], [0, 0, -step_mm, 30], [0, 0, 0, 1]])
    names = tuple(f"slice_{number:04d}" for number in numbers)
    voxels = np.zeros((*SIZE, len(numbers)), np.uint16)
    files = (Path("/data/Doe_Jane/a.dcm"),)
    return Scan("scan_a", voxels, affine, np.array(numbers), names, "dicom", files, series)


def masks_on(slices, count, organ=2):
    masks = np.zeros((3, *SIZE, count), dtype=bool)
    masks[organ, 1:3, 2:5, slices] = True
    return masks


def doubts(count, **values):
    entropy = np.zeros(count, np.float32)
    for position, value in values.items():
        entropy[int(position[1:])] = value
    return entropy


def write(tmp_path, scan, masks, confidence=None, **settings):
    confidence = confidence or Confidence(np.zeros(len(scan.slice_numbers)))
    path = write_result(
        tmp_path / "out" / "result.json", scan, masks, confidence, MADE_BY, seconds={"read": 0.12345}, settings=settings
    )
    return json.loads(path.read_text()), path.read_text()


def test_volumes_are_voxels_by_true_spacing(tmp_path):
    masks = masks_on([1, 2], 4)
    masks[0, 0, 0, 3] = True
    result, _ = write(tmp_path, scan_of(range(4)), masks)
    assert result["organs"]["stomach"]["volume_ml"] == 2 * 3 * 2 * (1.5 * 2 * 3) / 1000
    assert result["organs"]["large_bowel"]["volume_ml"] == 0.009
    assert result["organs"]["small_bowel"]["volume_ml"] == 0


def test_slices_with_each_organ_are_named(tmp_path):
    result, _ = write(tmp_path, scan_of((0, 1, 4, 5)), masks_on([1, 2], 4))
    stomach, empty = result["organs"]["stomach"], result["organs"]["small_bowel"]
    assert stomach["slices"] == ["slice_0001", "slice_0004"]
    assert (stomach["first_slice"], stomach["last_slice"]) == ("slice_0001", "slice_0004")
    assert (empty["slices"], empty["first_slice"], empty["last_slice"]) == ([], None, None)


def test_scan_is_described(tmp_path):
    series = Series("1.2.3", "1.2", "1.9", "MR", "knee of Jane Doe", ("ORIGINAL",), ())
    result, _ = write(tmp_path, scan_of((0, 1, 4), series=series), masks_on([1], 3))
    assert result["scan"] == {
        "name": "scan_a",
        "kind": "dicom",
        "size": [6, 9, 3],
        "spacing_mm": [1.5, 2.0, pytest.approx(3.354102)],
        "slices_missing": True,
        "missing_slices": [2, 3],
        "note": "volumes leave the missing slices out",
        "series_uid": "1.2.3",
    }
    whole, _ = write(tmp_path, scan_of(range(3)), masks_on([1], 3))
    assert whole["scan"]["missing_slices"] == []
    assert whole["scan"]["slices_missing"] is False


def test_it_says_what_made_it_and_what_it_may_be_used_for(tmp_path):
    settings = {"flips": ["left_right"], "thresholds": {"stomach": 0.5}}
    result, text = write(tmp_path, scan_of(range(3)), masks_on([1], 3), **settings)
    assert result["intended_use"] == INTENDED_USE
    assert result["made_by"] == MADE_BY._asdict()
    assert result["seconds"] == {"read": 0.123}
    assert result["settings"] == settings
    assert set(result["versions"]) == {"monai_gi", "python", "torch", "monai", "numpy"}
    assert result["versions"]["python"] == platform.python_version()
    assert result["versions"]["numpy"] == np.__version__
    assert '"size": [6, 9, 3],' in text


def test_neither_patients_nor_paths_are_written(tmp_path):
    series = Series("1.2.3", "1.2", "1.9", "MR", "knee of Jane Doe", (), (), 1, "Doe^Jane", "ID-4711")
    _, text = write(tmp_path, scan_of(range(3), series=series), masks_on([1], 3))
    for secret in ("Doe", "Jane", "4711", "/data", "knee", str(tmp_path)):
        assert secret not in text


def test_names_with_brackets_stay_as_they_are(tmp_path):
    scan = scan_of(range(3))
    scan = type(scan)(**{**vars(scan), "slice_names": ("a [1,  2]", "b\n  c", "d")})
    result, _ = write(tmp_path, scan, masks_on([0, 1, 2], 3))
    assert result["organs"]["stomach"]["slices"] == ["a [1,  2]", "b\n  c", "d"]


def test_worst_slices_come_first():
    scan, masks = scan_of(range(40)), masks_on(slice(0, 40), 40)
    checks = slices_to_check(scan, masks, Confidence(doubts(40, d5=0.2, d20=0.4, d35=0.1)))
    assert [(c.position, c.name, c.number, round(c.entropy, 3), c.disagreement) for c in checks] == [
        (20, "slice_0020", 20, 0.4, None),
        (5, "slice_0005", 5, 0.2, None),
        (35, "slice_0035", 35, 0.1, None),
    ]


def test_disagreement_counts_as_much_as_entropy():
    scan, masks = scan_of(range(40)), masks_on(slice(0, 40), 40)
    confidence = Confidence(doubts(40, d5=0.3, d20=0.2), doubts(40, d20=0.25, d35=0.35))
    checks = slices_to_check(scan, masks, confidence)
    assert [c.position for c in checks] == [20, 35, 5]
    assert [c.reason.split(";")[0] for c in checks] == [
        "mirrored predictions disagree",
        "mirrored predictions disagree",
        "the network is unsure",
    ]
    assert checks[0].disagreement == pytest.approx(0.25)


def test_neighbours_of_a_listed_slice_are_left_out():
    scan, masks = scan_of(range(12)), masks_on(slice(0, 12), 12)
    entropy = np.linspace(0.5, 0.39, 12)
    assert [c.position for c in slices_to_check(scan, masks, Confidence(entropy))] == [0, 3, 6, 9]
    thick = scan_of(range(12), step_mm=12.0)
    assert [c.position for c in slices_to_check(thick, masks, Confidence(entropy))] == list(range(10))
    assert len(slices_to_check(thick, masks, Confidence(entropy), most=2)) == 2


def test_distance_is_counted_across_missing_slices():
    scan, masks = scan_of((0, 1, 9, 10)), masks_on(slice(0, 4), 4)
    assert [c.number for c in slices_to_check(scan, masks, Confidence(np.array([0.5, 0.4, 0.3, 0.2])))] == [0, 9]


def test_slice_without_organ_is_listed_from_a_floor_on():
    scan, masks = scan_of(range(40)), masks_on([20], 40)
    checks = slices_to_check(scan, masks, Confidence(doubts(40, d5=0.29, d20=0.01, d35=0.31)))
    assert [c.position for c in checks] == [35, 20]
    assert checks[0].reason == "no organ found, but the network is unsure"


def test_sure_scan_and_unknown_confidence_list_nothing():
    scan, masks = scan_of(range(5)), masks_on([1, 2], 5)
    assert slices_to_check(scan, masks, Confidence(np.zeros(5))) == []
    assert slices_to_check(scan, masks, Confidence(np.full(5, np.nan), np.full(5, np.nan))) == []


def test_reason_names_organs_and_their_ends():
    scan, masks = scan_of(range(40)), masks_on(slice(5, 21), 40) | masks_on(slice(20, 40), 40, organ=0)
    checks = slices_to_check(scan, masks, Confidence(doubts(40, d5=0.5, d12=0.4, d20=0.3, d39=0.2)))
    assert [c.reason for c in checks] == [
        "the network is unsure; on the slice: stomach; first or last slice of: stomach",
        "the network is unsure; on the slice: stomach",
        "the network is unsure; on the slice: large_bowel, stomach; first or last slice of: large_bowel, stomach",
        "the network is unsure; on the slice: large_bowel",  # cut off by the scan, not its end
    ]


def test_list_stands_in_the_file(tmp_path):
    confidence = Confidence(doubts(3, d1=0.123456), doubts(3, d1=0.01))
    result, _ = write(tmp_path, scan_of((0, 1, 4)), masks_on([1], 3), confidence)
    assert result["check_first"] == [
        {
            "slice": "slice_0001",
            "number": 1,
            "reason": "the network is unsure; on the slice: stomach; first or last slice of: stomach",
            "entropy": 0.1235,
            "disagreement": 0.01,
        }
    ]


def test_what_does_not_fit_the_scan_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"masks: bool of shape \(3, 6, 9, 4\), wanted bool \(3, 6, 9, 3\)"):
        write(tmp_path, scan_of(range(3)), masks_on([1], 4))
    for confidence in (Confidence(np.zeros(4)), Confidence(np.zeros(3), np.zeros(2))):
        with pytest.raises(ValueError, match=r"(entropy|disagreement): shape .*, wanted \(3,\), one for each slice"):
            write(tmp_path, scan_of(range(3)), masks_on([1], 3), confidence)


def test_settings_that_json_does_not_hold_are_refused(tmp_path):
    with pytest.raises(TypeError, match="not JSON serializable"):
        write(tmp_path, scan_of(range(3)), masks_on([1], 3), weights=Path("model.pt"))
    assert not (tmp_path / "out" / "result.json").exists()
