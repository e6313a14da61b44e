"""Writing of drawn scans through MONAI's evaluator: files, order of rows, a stopped run that goes on."""

import csv
import itertools
import json

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

from monai_gi.errors import DataError, DataErrors
from monai_gi.handlers import ScanWriter, unfinished
from monai_gi.labels import ORGAN_NAMES
from monai_gi.rle import decode_rle
from tests.drawn_evaluator import AFFINE, DEPTH, SIZE, draw_item, draw_masks, evaluate

ITEMS = [draw_item(f"case{case}_day0", label=False) for case in (1, 2, 11)]
PREDS = [draw_masks(shift) for shift in range(3)]


def write(folder, *, items=ITEMS, preds=PREDS, all_items=ITEMS, stop_after=None, **settings):
    handler = ScanWriter(folder, items=all_items, **{"formats": ["submission"], **settings})
    return evaluate(handler, items, preds, stop_after=stop_after)


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


def submission(folder):
    return (folder / "submission.csv").read_bytes()


def write_sample(path, keys):
    path.write_text("id,class,predicted\n" + "".join(f"{slice_id},{organ},\n" for slice_id, organ in keys))
    return path


def all_keys(items=ITEMS):
    return list(itertools.product([slice_id for item in items for slice_id in item["slice_ids"]], ORGAN_NAMES))


def test_submission_answers_every_slice_and_organ(tmp_path):
    write(tmp_path)
    header, *rows = rows_of(tmp_path / "submission.csv")
    assert header == ["id", "class", "predicted"]
    assert [tuple(row[:2]) for row in rows] == all_keys()  # case2 before case11
    masks = {tuple(row[:2]): decode_rle(row[2], SIZE) for row in rows}
    assert np.array_equal(masks["case2_day0_slice_0002", "small_bowel"], PREDS[1][1, ..., 1])
    assert not masks["case2_day0_slice_0001", "small_bowel"].any()


def test_sample_gives_the_order(tmp_path):
    keys = all_keys()[::-1]
    write(tmp_path, sample_submission=write_sample(tmp_path / "sample.csv", keys))
    assert [tuple(row[:2]) for row in rows_of(tmp_path / "submission.csv")[1:]] == keys


def test_sample_of_other_scans_stops_before_the_first_prediction(tmp_path):
    sample = write_sample(tmp_path / "sample.csv", [*all_keys()[1:], ("case9_day0_slice_0001", "stomach")])
    with pytest.raises(DataErrors, match=r"(?s)case9_day0_slice_0001 stomach.*case1_day0_slice_0001 large_bowel"):
        write(tmp_path / "out", sample_submission=sample)
    assert not list(tmp_path.glob("out/parts/*.csv"))


def test_missing_sample_is_no_sample(tmp_path):
    write(tmp_path, sample_submission=tmp_path / "none.csv")
    assert len(rows_of(tmp_path / "submission.csv")) == 1 + 3 * DEPTH * 3


def test_formats_choose_what_is_written(tmp_path):
    write(tmp_path / "nifti", formats=["nifti"])
    write(tmp_path / "overlay", formats=["overlay"], overlays_per_scan=2)
    assert {path.name for path in (tmp_path / "nifti").iterdir()} == {"nifti"}
    assert {path.name for path in (tmp_path / "overlay").iterdir()} == {"overlays"}
    assert len(list((tmp_path / "nifti" / "nifti").glob("*.nii.gz"))) == 3 * 4
    assert len(list((tmp_path / "overlay" / "overlays").glob("case2_day0/*.png"))) == 2


def test_nifti_lies_where_the_image_lies(tmp_path):
    write(tmp_path, formats=["nifti"])
    volume = nib.load(tmp_path / "nifti" / "case2_day0_large_bowel.nii.gz")
    assert np.array_equal(volume.affine, AFFINE)
    assert np.array_equal(np.asarray(volume.dataobj), PREDS[1][0])


def test_overlays_are_pictures_with_a_sheet(tmp_path):
    write(tmp_path, formats=["overlay"])
    picture = np.asarray(Image.open(tmp_path / "overlays" / "case1_day0" / "case1_day0_slice_0002.png"))
    assert picture.shape == (24, 24, 3)  # 12 rows of 1.5 mm, 9 columns of 2 mm: 2 and 8 / 3 px each
    assert (tmp_path / "overlays" / "case1_day0.png").is_file()


def test_stopped_run_goes_on_where_it_stopped(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "stopped", stop_after=2)
    assert not (tmp_path / "stopped" / "submission.csv").exists()
    left = unfinished(ITEMS, tmp_path / "stopped")
    assert [item["id"] for item in left] == ["case11_day0"]
    write(tmp_path / "stopped", items=left, preds=PREDS[2:])
    write(tmp_path / "whole")
    assert submission(tmp_path / "stopped") == (tmp_path / "whole" / "submission.csv").read_bytes()
    assert not (tmp_path / "stopped" / "parts").exists()


def test_run_stopped_before_the_merge_repeats_one_scan(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, stop_after=3)
    assert [item["id"] for item in unfinished(ITEMS, tmp_path)] == ["case11_day0"]


def test_new_run_has_everything_to_do(tmp_path):
    assert unfinished(ITEMS, tmp_path) == ITEMS
    assert unfinished([], tmp_path) == []


def test_stopped_run_does_not_go_on_with_other_settings(tmp_path):
    weights = tmp_path / "model.pt"
    weights.write_bytes(b"one")
    settings = {"weights": str(weights), "thresholds": [0.5, 0.4, 0.3]}
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "out", stop_after=1, settings=settings)
    weights.write_bytes(b"other")
    with pytest.raises(DataError, match=r"parts: what is here was predicted with other settings: weights\. Remove"):
        write(tmp_path / "out", items=ITEMS[1:], preds=PREDS[1:], settings=settings)
    weights.write_bytes(b"one")
    with pytest.raises(DataError, match="thresholds"):
        write(tmp_path / "out", items=ITEMS[1:], preds=PREDS[1:], settings=settings | {"thresholds": 0.5})


def test_settings_are_kept_as_json(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, stop_after=1, settings={"thresholds": (0.5, 0.4)})
    assert json.loads((tmp_path / "parts" / "settings.json").read_text()) == {"thresholds": [0.5, 0.4]}


def test_scan_that_never_came_is_named_at_the_merge(tmp_path):
    with pytest.raises(DataErrors, match="case11_day0 was not predicted"):
        write(tmp_path, items=ITEMS[:2], preds=PREDS[:2])


def test_scan_of_no_item_is_refused(tmp_path):
    with pytest.raises(ValueError, match="case11_day0 is not among the handler's items"):
        write(tmp_path, all_items=ITEMS[:2])


def test_without_items_the_loader_tells_what_the_scans_are(tmp_path):
    write(tmp_path / "told")
    write(tmp_path / "found", all_items=None)
    assert submission(tmp_path / "found") == submission(tmp_path / "told")


def test_probabilities_are_refused(tmp_path):
    with pytest.raises(ValueError, match="case1_day0: pred holds other values than 0 and 1"):
        write(tmp_path, preds=[masks * 0.7 for masks in PREDS])


def test_masks_of_another_number_of_organs_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"case1_day0: pred has shape \(2, 12, 9, 4\)"):
        write(tmp_path, preds=[masks[:2] for masks in PREDS])


def test_masks_of_another_depth_are_refused(tmp_path):
    with pytest.raises(ValueError, match="case1_day0: 4 slice ids for masks of shape"):
        write(tmp_path, preds=[masks[..., :3] for masks in PREDS])


def test_one_id_twice_is_refused(tmp_path):
    with pytest.raises(ValueError, match="2 scans with 1 different ids"):
        ScanWriter(tmp_path, items=[ITEMS[0], ITEMS[0]])


@pytest.mark.parametrize("formats", [["dicom"], [], "nifti"])
def test_unknown_formats_are_refused(tmp_path, formats):
    with pytest.raises(ValueError, match=r"formats: .*wanted a list of some of"):
        ScanWriter(tmp_path, formats)


def test_overlays_of_no_slice_are_refused(tmp_path):
    with pytest.raises(ValueError, match="overlays_per_scan: 0, wanted 1 or more"):
        ScanWriter(tmp_path, overlays_per_scan=0)


def _share_of_one_process(rank, folder):
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    share = [slice(0, 2), slice(2, 3)][rank]
    write(folder / "both", items=ITEMS[share], preds=PREDS[share])
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_write_what_one_writes(tmp_path):
    torch.multiprocessing.spawn(_share_of_one_process, args=(tmp_path,), nprocs=2)
    write(tmp_path / "alone")
    assert submission(tmp_path / "both") == submission(tmp_path / "alone")
