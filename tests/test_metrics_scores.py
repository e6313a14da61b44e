"""Scores of a scan, the summary over scans, the files and the table of the terminal."""

import csv
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest

from monai_gi.labels import ORGAN_NAMES
from monai_gi.metrics import contest_score, score_scan, scores_table, summarise, surface_scores, write_scores
from monai_gi.metrics.measures import measures
from tests.oracles import metrics as oracle

SPACING_MM = (1.5, 1.63, 3.0)
PRED, TRUTH = oracle.drawn_organs()


def scan_of(pred, truth, name, **settings):
    ids = [f"{name}_slice_{index:04d}" for index in range(1, pred.shape[-1] + 1)]
    return score_scan(name, name.split("_")[0], pred, truth, spacing_mm=SPACING_MM, slice_ids=ids, **settings)


def drawn_scans():
    """Five scans of three cases: two seeds, one with a missed organ found, one without truth, one perfect."""
    found = PRED.copy()
    found[2] = TRUTH[2]
    empty = np.zeros_like(TRUTH)
    return [
        scan_of(*oracle.drawn_organs(1, shift=5), "case20_day0"),
        scan_of(PRED, TRUTH, "case3_day0"),
        scan_of(found, TRUTH, "case3_day9"),
        scan_of(PRED, empty, "case4_day0"),
        scan_of(TRUTH, TRUTH, "case4_day1"),
    ]


SCANS = drawn_scans()


def read_rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_counts_equal_sets_of_points():
    scan = SCANS[1]
    for c in range(3):
        for d in range(PRED.shape[-1]):
            p, t = oracle.points(PRED[c, :, :, d]), oracle.points(TRUTH[c, :, :, d])
            found = (scan.pred_px[c, d], scan.truth_px[c, d], scan.overlap_px[c, d])
            assert found == (len(p), len(t), len(p & t))


def test_confusion_counts_annotated_slices_only():
    annotated = TRUTH.any(axis=(0, 1, 2))
    assert 0 < annotated.sum() < annotated.size
    np.testing.assert_array_equal(SCANS[1].annotated, annotated)
    pairs = 4 * oracle.label_map(TRUTH[..., annotated]) + oracle.label_map(PRED[..., annotated])
    np.testing.assert_array_equal(SCANS[1].confusion, np.bincount(pairs.ravel(), minlength=16).reshape(4, 4))
    assert SCANS[3].confusion.sum() == 0


def test_distances_are_those_of_the_volume_with_its_spacing():
    for c in range(3):
        expected = surface_scores(PRED[c], TRUTH[c], SPACING_MM, tolerance_mm=3.0)
        assert (SCANS[1].hd95_mm[c], SCANS[1].surface_dice[c]) == expected
    wide = scan_of(PRED, TRUTH, "case3_day0", tolerance_mm=9.0)
    assert wide.surface_dice[0] > SCANS[1].surface_dice[0]
    assert SCANS[1].voxel_ml == pytest.approx(1.5 * 1.63 * 3.0 / 1000)


def test_scores_travel_small_and_whole():
    packed = pickle.dumps(SCANS[1])
    assert len(packed) < TRUTH.size / 10
    assert summarise([pickle.loads(packed)]) == summarise([SCANS[1]])


def test_scans_that_do_not_fit_together_are_refused():
    fitting = {"spacing_mm": SPACING_MM, "slice_ids": ["a"] * TRUTH.shape[-1]}
    with pytest.raises(ValueError, match=r"case1_day0: prediction has shape .* one grid is needed"):
        score_scan("case1_day0", "case1", PRED[..., 1:], TRUTH, **fitting)
    with pytest.raises(ValueError, match=r"2 channels for 3 classes"):
        score_scan("case1_day0", "case1", PRED[:2], TRUTH[:2], **fitting)
    with pytest.raises(ValueError, match=r"3 slice ids for 14 slices"):
        score_scan("case1_day0", "case1", PRED, TRUTH, spacing_mm=SPACING_MM, slice_ids=["a", "b", "c"])
    with pytest.raises(ValueError, match=r"row, column, slice"):
        score_scan("case1_day0", "case1", PRED, TRUTH, spacing_mm=(1.5, 1.5), slice_ids=fitting["slice_ids"])


def slices_of(kind):
    """Values of large bowel Dice by hand: over which slices, and what two empty masks give."""
    values = []
    for pred, truth in SLICE_PAIRS:
        if kind == "organ" and not truth[0].any():
            continue
        if kind.startswith("annotated") and not truth.any():
            continue
        if not pred[0].any() and not truth[0].any():
            values += {"1": [1.0], "0": [0.0], "t": []}[kind[-1]]
        else:
            values.append(oracle.dice(pred[0], truth[0]))
    return np.mean(values)


SLICE_PAIRS = [(PRED[..., d], TRUTH[..., d]) for d in range(PRED.shape[-1])]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("dice_organ_slices", "organ"),
        ("dice_annotated_slices_empty_left_out", "annotated left out t"),
        ("dice_annotated_slices_empty_1", "annotated 1"),
        ("dice_annotated_slices_empty_0", "annotated 0"),
        ("dice_all_slices_empty_left_out", "all t"),
        ("dice_all_slices_empty_1", "all 1"),
        ("dice_all_slices_empty_0", "all 0"),
    ],
)
def test_means_over_slices_by_every_rule(name, kind):
    assert summarise([SCANS[1]])["organs"]["large_bowel"][name]["mean"] == pytest.approx(slices_of(kind))


def test_means_over_scans_by_every_rule():
    """The stomach is missed in two scans, found in two and absent in one (case4_day0)."""
    stomach = summarise(SCANS)["organs"]["stomach"]
    assert stomach["dice_3d_organ_scans"]["mean"] == pytest.approx(2 / 4)
    assert stomach["dice_3d_all_scans_empty_left_out"]["mean"] == pytest.approx(2 / 4)
    assert stomach["dice_3d_all_scans_empty_1"]["mean"] == pytest.approx(3 / 5)
    assert stomach["iou_3d_all_scans_empty_0"]["mean"] == pytest.approx(2 / 5)
    assert stomach["surface_dice"]["mean"] == pytest.approx(2 / 4)
    assert stomach["surface_dice"]["count"] == 4


def test_an_infinite_distance_is_counted_and_kept_out_of_the_mean():
    stomach = summarise(SCANS)["organs"]["stomach"]
    assert stomach["hd95_infinite_scans"] == 2
    assert stomach["both_empty_scans"] == 1
    assert stomach["hd95_mm_mean_of_finite"]["mean"] == 0
    assert stomach["hd95_mm_mean_of_finite"]["count"] == 2


def test_a_false_alarm_on_a_scan_without_truth_counts_zero_but_not_for_organ_scans():
    bowel = summarise(SCANS[3:])["organs"]["large_bowel"]
    assert bowel["dice_3d_organ_scans"]["mean"] == 1
    assert bowel["dice_3d_all_scans_empty_1"]["mean"] == 0.5
    assert bowel["hd95_infinite_scans"] == 1


def test_the_mean_of_organs_is_the_mean_of_their_means():
    summary = summarise(SCANS)
    for name in ("dice_organ_slices", "hd95_mm_mean_of_finite"):
        expected = np.mean([summary["organs"][organ][name]["mean"] for organ in ORGAN_NAMES])
        assert summary["mean_of_organs"][name]["mean"] == pytest.approx(expected)


def test_contest_scores_and_macro_f1_stand_in_the_summary():
    summary = summarise(SCANS)
    for variant, number in summary["contest_score"].items():
        assert number["score"] == pytest.approx(contest_score(SCANS, variant))
        assert number["score"] == pytest.approx(0.4 * number["dice"] + 0.6 * (1 - number["hausdorff"]))
        low, high = number["interval_95"]
        assert low <= number["score"] <= high
    counts = sum(scan.confusion for scan in SCANS)
    f1 = [2 * counts[k, k] / (counts[k].sum() + counts[:, k].sum()) for k in range(4)]
    assert summary["pooled_macro_f1"]["score"] == pytest.approx(np.mean(f1))


def test_every_number_states_its_rule_for_empty_masks():
    summary = summarise(SCANS)
    numbers = [number for organ in summary["organs"].values() for number in organ.values() if isinstance(number, dict)]
    numbers += [*summary["mean_of_organs"].values(), *summary["contest_score"].values()]
    assert len(numbers) == 4 * len(measures(3.0)) + 4
    assert all("empty" in number["rule"] for number in numbers)
    assert "absent from" in summary["pooled_macro_f1"]["rule"]


def test_one_case_has_null_intervals_with_the_reason():
    summary = summarise([SCANS[1], SCANS[2]])
    number = summary["organs"]["large_bowel"]["dice_organ_slices"]
    assert number["interval_95"] is None
    assert number["interval_note"] == "1 case(s) contribute; an interval over cases needs two"
    assert "One case: no interval can be given." in scores_table(summary)


def test_order_of_scans_does_not_matter_but_seed_and_draws_do():
    assert summarise(SCANS) == summarise(SCANS[::-1])
    first = summarise(SCANS, seed=0, bootstrap=20)["organs"]
    assert first != summarise(SCANS, seed=1, bootstrap=20)["organs"]
    assert first != summarise(SCANS, seed=0, bootstrap=21)["organs"]


def test_no_scans_doubled_scans_and_two_tolerances_are_refused():
    with pytest.raises(ValueError, match="no scans were scored"):
        summarise([])
    with pytest.raises(ValueError, match="scored more than once: case3_day0"):
        summarise([SCANS[1], SCANS[1], SCANS[2]])
    with pytest.raises(ValueError, match="different tolerance_mm"):
        summarise([SCANS[1], scan_of(PRED, TRUTH, "case5_day0", tolerance_mm=1.0)])


def test_files_are_written_whole_and_nothing_beside_them(tmp_path):
    summary = write_scores(SCANS[::-1], tmp_path / "new" / "scores", bootstrap=50)
    folder = tmp_path / "new" / "scores"
    assert sorted(path.name for path in folder.iterdir()) == ["cases.csv", "scans.csv", "slices.csv", "summary.json"]

    def refuse(constant):
        raise AssertionError(constant)

    assert json.loads((folder / "summary.json").read_text(), parse_constant=refuse) == summary
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    write_scores(SCANS, folder, bootstrap=50)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first


def test_rows_are_sorted_and_carry_the_numbers(tmp_path):
    write_scores(SCANS, tmp_path, bootstrap=50)
    slices, scans, cases = (read_rows(tmp_path / name) for name in ("slices.csv", "scans.csv", "cases.csv"))
    assert len(slices) == len(SCANS) * PRED.shape[-1] * 3
    assert [row["id"] for row in slices] == sorted(row["id"] for row in slices)
    assert [row["organ"] for row in slices[:3]] == list(ORGAN_NAMES)
    assert [row["id"] for row in scans[::4]] == [
        "case20_day0", "case3_day0", "case3_day9", "case4_day0", "case4_day1",
    ]  # fmt: skip
    assert [row["id"] for row in cases[::4]] == ["case20", "case3", "case4"]
    row = next(r for r in slices if r["id"] == "case3_day0_slice_0005" and r["organ"] == "large_bowel")
    assert float(row["dice_empty_1"]) == pytest.approx(oracle.dice(PRED[0, :, :, 4], TRUTH[0, :, :, 4]))
    assert int(row["overlap_px"]) == len(oracle.points(PRED[0, :, :, 4] & TRUTH[0, :, :, 4]))
    row = next(r for r in scans if r["id"] == "case3_day0" and r["organ"] == "large_bowel")
    assert float(row["dice_3d_empty_1"]) == pytest.approx(oracle.dice(PRED[0], TRUTH[0]))
    assert float(row["truth_ml"]) == pytest.approx(len(oracle.points(TRUTH[0])) * 1.5 * 1.63 * 3 / 1000)


def test_nan_is_an_empty_field_and_infinity_is_written(tmp_path):
    write_scores(SCANS, tmp_path, bootstrap=50)
    slices, scans = read_rows(tmp_path / "slices.csv"), read_rows(tmp_path / "scans.csv")
    blank = next(r for r in slices if r["id"] == "case4_day0_slice_0014" and r["organ"] == "stomach")
    assert (blank["dice_empty_left_out"], blank["dice_empty_1"], blank["dice_empty_0"]) == ("", "1", "0")
    assert blank["annotated"] == "0"
    distances = {(r["id"], r["organ"]): r["hd95_mm"] for r in scans}
    assert distances["case3_day0", "stomach"] == "inf"
    assert distances["case4_day0", "stomach"] == ""
    assert distances["case3_day0", "all"] == ""


def test_case_rows_equal_the_summary_of_that_case(tmp_path):
    write_scores(SCANS, tmp_path, bootstrap=50)
    rows = {(r["id"], r["organ"]): r for r in read_rows(tmp_path / "cases.csv")}
    summary = summarise([scan for scan in SCANS if scan.group == "case3"])
    for organ in ORGAN_NAMES:
        for measure in measures(3.0):
            mean = summary["organs"][organ][measure.name]["mean"]
            assert rows["case3", organ][measure.name] == ("" if mean is None else format(mean, ".9g"))
        assert int(rows["case3", organ]["hd95_infinite_scans"]) == summary["organs"][organ]["hd95_infinite_scans"]
    for variant, number in summary["contest_score"].items():
        assert float(rows["case3", "all"][f"contest_{variant}"]) == pytest.approx(number["score"], rel=1e-8)
    assert float(rows["case3", "all"]["pooled_macro_f1"]) == pytest.approx(summary["pooled_macro_f1"]["score"])


def test_the_table_shows_means_intervals_and_what_is_infinite():
    summary = summarise(SCANS)
    table = scores_table(summary)
    number = summary["organs"]["large_bowel"]["dice_organ_slices"]
    low, high = number["interval_95"]
    assert f"{number['mean']:.3f} [{low:.3f}, {high:.3f}]" in table
    assert "3 cases, 5 scans, 70 slices" in table
    assert "one mask of a scan is empty: large_bowel 1, small_bowel 1, stomach 2 scan(s)" in table
    assert "contest score, first_place" in table
    assert max(map(len, table.splitlines())) <= 130


def test_a_number_that_does_not_exist_is_a_dash():
    empty = np.zeros_like(TRUTH)
    table = scores_table(summarise([scan_of(empty, empty, "case1_day0")]))
    assert "large_bowel     -" in table


def test_importing_the_metrics_takes_no_torch():
    code = "import sys, monai_gi.metrics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
