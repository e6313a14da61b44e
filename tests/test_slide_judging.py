"""Slides judged against colour masks: numbers by hand, files, pictures, faults."""

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image

from monai_gi.errors import DataError
from monai_gi.metrics.slide_confusion import confusion_counts, dice_of_classes, iou_of_classes
from monai_gi.metrics.slide_tables import SlideScore, summarise_slides
from monai_gi.network_digest import weights_digest
from monai_gi.slide_judging import judge_slides
from monai_gi.slides import ColorTable
from monai_gi.streaming import SlideSettings
from tests.drawn_tissue import CLASSES, COLORS, TABLE, ColorNetwork, drawn_labels, write_pair

SETTINGS = SlideSettings(roi_size=(32, 48), levels=(0,), classes=CLASSES, sw_batch_size=2, amp=False)


def items_of(folder, count=2):
    """Slides with a mask that is wrong in a known place: the first 10 rows are called vessel."""
    items, confusions = [], []
    for number in range(count):
        labels = drawn_labels(seed=number)
        image, mask = write_pair(folder, f"slide {number}", labels)
        truth = labels.copy()
        truth[:10] = 4
        Image.fromarray(COLORS[truth]).save(mask)
        items.append({"id": f"slide {number}", "group": f"block{number}", "image": str(image), "label": str(mask)})
        pairs, counts = np.unique(np.stack([truth.ravel(), labels.ravel()]), axis=1, return_counts=True)
        confusion = np.zeros((6, 6), dtype=int)
        confusion[pairs[0], pairs[1]] = counts
        confusions.append(confusion)
    return items, confusions


def test_scores_equal_those_of_whole_images(tmp_path, capsys):
    items, confusions = items_of(tmp_path)
    summary = judge_slides(items, ColorNetwork(), SETTINGS, tmp_path / "out", TABLE, device="cpu")
    assert summary["confusion"]["pixels"] == sum(confusions).tolist()
    assert summary["state_dict_sha256"] == weights_digest(ColorNetwork().state_dict())
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == json.loads(json.dumps(summary))
    with (tmp_path / "out" / "slides.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["slide"], row["group"], row["pixels"]) for row in rows] == [
        ("slide 0", "block0", "30450"),
        ("slide 1", "block1", "30450"),
    ]
    for row, confusion in zip(rows, confusions, strict=True):
        for label, name in enumerate(CLASSES[:5]):
            dice = 2 * confusion[label, label] / (confusion[label].sum() + confusion[:, label].sum())
            assert float(row[f"dice_{name}"]) == pytest.approx(dice, abs=1e-4)
        assert row["dice_infiltrate"] == ""
    with (tmp_path / "out" / "confusion.csv").open() as file:
        table = list(csv.DictReader(file))
    assert len(table) == 3 * 6
    assert [int(table[-2][name]) for name in CLASSES] == sum(confusions)[4].tolist()
    assert (table[-2]["slide"], table[-2]["truth"]) == ("all", "vessel")
    assert "Scores and pictures" in capsys.readouterr().out
    with Image.open(tmp_path / "out" / "overlays" / "slide_1.png") as picture:
        assert picture.width > 2 * 203


def test_predictions_are_kept_and_not_computed_twice(tmp_path):
    items, _ = items_of(tmp_path, count=1)
    judge_slides(items, ColorNetwork(), SETTINGS, tmp_path / "out", TABLE, device="cpu", overlays=False)
    assert not (tmp_path / "out" / "overlays").exists()
    network = ColorNetwork()
    judge_slides(items, network, SETTINGS, tmp_path / "out", TABLE, device="cpu")
    assert network.windows == 0
    judge_slides(items, network, SETTINGS.replace(overlap=0.5), tmp_path / "out", TABLE, device="cpu")
    assert network.windows > 0


def _share_of_one_process(rank, folder, items):
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    network = ColorNetwork()
    calls = []
    network.register_forward_hook(lambda *call: calls.append(call))
    judge_slides(items, network, SETTINGS, folder / "both", TABLE, device="cpu")
    (folder / f"calls_{rank}").write_text(str(len(calls)))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_processes_share_the_slides_and_write_what_one_writes(tmp_path):
    items, _ = items_of(tmp_path, count=3)
    torch.multiprocessing.spawn(_share_of_one_process, args=(tmp_path, items), nprocs=2)
    judge_slides(items, ColorNetwork(), SETTINGS, tmp_path / "alone", TABLE, device="cpu")
    for name in ("slides.csv", "confusion.csv", "summary.json"):
        assert (tmp_path / "both" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
    first, second = (int((tmp_path / f"calls_{rank}").read_text()) for rank in (0, 1))
    assert first == 2 * second, "two slides and one"


def test_the_pixel_budget_reaches_slides_and_masks(tmp_path):
    items, _ = items_of(tmp_path, count=1)
    with pytest.raises(DataError, match="over the budget of 1,000"):
        judge_slides(items, ColorNetwork(), SETTINGS, tmp_path / "out", TABLE, device="cpu", max_pixels=1000)


def test_a_coarser_output_is_scored_at_its_own_level(tmp_path):
    items, _ = items_of(tmp_path, count=1)
    summary = judge_slides(items, ColorNetwork(), SETTINGS.replace(levels=(1,)), tmp_path, TABLE, device="cpu")
    assert np.sum(summary["confusion"]["pixels"]) == 75 * 102


def test_a_class_that_nobody_has_is_left_out_of_the_means():
    counts = np.array([[50, 0, 0], [5, 20, 0], [0, 0, 0]])
    found = summarise_slides([SlideScore("a", "g", counts), SlideScore("b", "g", np.diag([9, 0, 0]))], ["bg", "x", "y"])
    assert found["classes"]["x"]["dice_mean_of_slides"] == pytest.approx(40 / 45, abs=1e-6)
    assert found["classes"]["x"]["slides_counted"] == 1
    assert found["classes"]["y"]["dice_of_all_pixels"] is None
    assert found["mean_of_classes_without_background"]["dice_of_all_pixels"] == pytest.approx(40 / 45, abs=1e-6)
    assert found["pixel_accuracy"] == pytest.approx(79 / 84, abs=1e-6)


def test_confusion_has_truth_in_rows():
    truth, pred = np.array([[0, 1, 1], [2, 2, 2]], dtype=np.uint8), np.array([[0, 0, 1], [2, 1, 1]], dtype=np.uint8)
    counts = confusion_counts(truth, pred, 4)
    assert counts.tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [0, 2, 1, 0], [0, 0, 0, 0]]
    assert dice_of_classes(counts)[:3].tolist() == pytest.approx([2 / 3, 2 / 5, 2 / 4])
    assert iou_of_classes(counts)[:3].tolist() == pytest.approx([1 / 2, 1 / 4, 1 / 3])
    assert np.isnan(dice_of_classes(counts)[3])
    with pytest.raises(ValueError, match="class index 2, there are 2 classes"):
        confusion_counts(truth, pred, 2)


def test_faults_are_named(tmp_path):
    items, _ = items_of(tmp_path, count=1)
    with pytest.raises(DataError, match="there is no slide to judge; is the fold right"):
        judge_slides([], ColorNetwork(), SETTINGS, tmp_path / "out", TABLE)
    other = ColorTable(("background", "glomerulus"), (0, 1), ((0, 0, 0), (255, 0, 0)))
    with pytest.raises(DataError, match="colors: classes background, glomerulus; the bundle has background, inter"):
        judge_slides(items, ColorNetwork(), SETTINGS, tmp_path / "out", other)
    Image.fromarray(COLORS[drawn_labels(150, 200)]).save(items[0]["label"])
    with pytest.raises(DataError, match=r"slide 0\.png: has 150 x 200, its slide has 150 x 203 pixels"):
        judge_slides(items, ColorNetwork(), SETTINGS, tmp_path / "out", TABLE)


class PinkNetwork(torch.nn.Module):
    """Two classes by the green of each pixel, as one class of a stain is darker."""

    def forward(self, windows):
        return torch.stack([windows[:, 1] - 0.6, 0.6 - windows[:, 1]], dim=1)


def test_ids_that_give_one_file_name_are_errors_before_anything_is_predicted(tmp_path):
    items, _ = items_of(tmp_path, count=1)
    others = [{**items[0], "id": name} for name in ("slide_0", "other", "Slide?0")]
    with pytest.raises(DataError, match="2 problems") as fault:
        judge_slides([*items, *others], ColorNetwork(), SETTINGS, tmp_path / "out", TABLE, device="cpu")
    assert "slide_0: slide 0 would get the same file name; wanted ids that differ" in str(fault.value)
    assert "Slide?0: slide 0 would get the same file name" in str(fault.value)
    assert not (tmp_path / "out").exists()


def test_real_tiles_score_as_they_do_in_memory(real_data, tmp_path):
    folder = real_data / "glomeruli_biopsy"
    names = ["10003", "10063"]
    items = [
        {
            "id": name,
            "group": name,
            "image": str(folder / "images" / f"{name}.png"),
            "label": str(folder / "masks" / f"{name}.png"),
        }
        for name in names
    ]
    table = ColorTable(("background", "glomerulus"), (0, 1), ((0, 0, 0), (255, 0, 0)), 120, 1.0)
    settings = SlideSettings(roi_size=(256, 320), levels=(0,), classes=table.names, glass=False, amp=False)
    summary = judge_slides(items, PinkNetwork(), settings, tmp_path, table, device="cpu")
    expected = np.zeros((2, 2), dtype=int)
    for item in items:
        green = np.asarray(Image.open(item["image"]).convert("RGB"))[..., 1].astype(np.float32) / 255
        red = np.asarray(Image.open(item["label"]).convert("RGB"))[..., 0] > 127
        np.add.at(expected, (red.astype(int), (green < 0.6).astype(int)), 1)
    assert np.abs(np.array(summary["confusion"]["pixels"]) - expected).max() < 50  # JPEG-like edges of the masks
