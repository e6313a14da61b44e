"""Places of patches by brute force over drawn label maps; patches against regions of the files."""

import logging
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from monai_gi.datasets.open_slides import OpenSlides
from monai_gi.datasets.patch_index import PatchIndex, SlideMap
from monai_gi.datasets.slide_patches import SlideGrid, SlidePatches, checked_levels
from monai_gi.errors import DataError
from monai_gi.handlers.seeding import EpochSeed
from monai_gi.slides import open_label, open_slide, parse_color_table
from tests.drawn_slide_files import COLORS, RGB_OF_INDEX, noise, write_tiff
from tests.oracles import slides as oracle

TABLE = parse_color_table(COLORS, "colors.yaml")
SIZES = [(300, 420), (210, 260)]


def drawn_labels(number):
    """Class 1 in a large area, class 2 in two small ones; the rest is background."""
    labels = np.zeros(SIZES[number], dtype=np.uint8)
    labels[100:200, 50:90] = 1
    labels[150:155, 200:204] = 2
    return labels


def drawn_image(number):
    """Glass on the right, so that only background on the left shows tissue."""
    image = noise(*SIZES[number], seed=number)
    image[:, SIZES[number][1] // 2 + 60 :] = 245
    return image


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    root = tmp_path_factory.mktemp("slides")
    made = []
    for number, size in enumerate(SIZES):
        image, label = root / f"image{number}.tif", root / f"mask{number}.png"
        write_tiff(image, drawn_image(number), tile=(64, 48), compression="zlib")
        Image.fromarray(RGB_OF_INDEX[drawn_labels(number)]).save(label)
        made.append({"id": f"s{number}", "image": str(image), "label": str(label), "size": list(size)})
    return made


def maps(cell=16):
    return [SlideMap(size, oracle.cell_counts(drawn_labels(n), cell, 3)) for n, size in enumerate(SIZES)]


def shown(place, roi_size, level=0):
    """The classes of a patch."""
    number, top, left = place
    return set(np.unique(oracle.label_region(drawn_labels(number), level, top, left, *roi_size)).tolist())


@pytest.mark.parametrize("roi_size", [(40, 56), (64, 32)])
def test_shares_of_background_and_classes_are_kept(roi_size):
    index = PatchIndex(maps(), 16, roi_size, 0, background_share=0.25)
    places = index.draw(80, np.random.default_rng(0))
    assert places.shape == (80, 3)
    classes = [shown(place, roi_size) for place in places.tolist()]
    assert sum(found == {0} for found in classes) == 20
    assert sum(2 in found for found in classes) >= 30
    for number, top, left in places.tolist():
        assert 0 <= top <= SIZES[number][0] - roi_size[0]
        assert 0 <= left <= SIZES[number][1] - roi_size[1]


def test_without_balance_places_follow_area():
    index = PatchIndex(maps(), 16, (40, 56), 0, class_balanced=False)
    classes = [shown(place, (40, 56)) for place in index.draw(200, np.random.default_rng(0)).tolist()]
    assert all(found != {0} for found in classes)
    assert 2 <= sum(2 in found for found in classes) <= 30


def test_class_counts_are_those_of_all_slides():
    wanted = np.sum([np.bincount(drawn_labels(n).ravel(), minlength=3) for n in (0, 1)], axis=0)
    assert PatchIndex(maps(), 16, (40, 56), 0).class_counts == wanted.tolist()


def test_patches_move_around_what_they_were_drawn_for():
    places = PatchIndex(maps()[:1], 16, (64, 64), 0).draw(400, np.random.default_rng(0))
    rare = np.array([place for place in places.tolist() if 2 in shown(place, (64, 64))])
    assert len(np.unique(rare[:, 1])) > 25
    assert len(np.unique(rare[:, 2])) > 25


def test_places_are_in_pixels_of_the_level():
    index = PatchIndex(maps(), 16, (20, 28), 2, background_share=0.2)
    classes = [shown(place, (20, 28), level=2) for place in index.draw(50, np.random.default_rng(0)).tolist()]
    assert sum(found == {0} for found in classes) == 10


def test_a_slide_smaller_than_a_patch_lies_in_its_middle():
    places = PatchIndex(maps()[1:], 16, (256, 512), 0).draw(5, np.random.default_rng(0))
    assert places.tolist() == [[0, -23, -126]] * 5
    assert (
        PatchIndex([SlideMap((50, 60), np.eye(3)[None, :1] * 7)], 64, (64, 64), 0, background_share=1)
        .draw(2, np.random.default_rng(0))
        .tolist()
        == [[0, -7, -2]] * 2
    )


def test_background_is_drawn_near_tissue_where_there_is_some():
    tissue = [np.zeros(slide.cells.shape[:2], dtype=bool) for slide in maps()]
    tissue[0][0, :3] = True
    index = PatchIndex(
        [slide._replace(tissue=where) for slide, where in zip(maps(), tissue, strict=True)],
        16,
        (32, 32),
        0,
        background_share=1,
    )
    places = index.draw(30, np.random.default_rng(0))
    assert (places[:, 0] == 0).all()
    assert places[:, 1].max() == 0
    assert places[:, 2].max() <= 32


def test_no_background_patch_is_a_warning_or_an_error(caplog):
    full = [SlideMap((64, 64), np.full((4, 4, 3), 9))]
    with caplog.at_level(logging.WARNING, logger="monai_gi"):
        index = PatchIndex(full, 16, (32, 32), 0, background_share=0.5)
    assert "No patch is background only: none is drawn, where a share of 0.5 was asked for" in caplog.text
    assert len(index.draw(6, np.random.default_rng(0))) == 6
    with pytest.raises(DataError, match="no patch is background only; ask for a smaller background_share"):
        PatchIndex(full, 16, (32, 32), 0, background_share=1)


def test_slides_without_labels_are_an_error():
    empty = [SlideMap((64, 64), np.array([[[9, 0, 0]]]))]
    with pytest.raises(DataError, match="no pixel is labelled as anything but background"):
        PatchIndex(empty, 64, (32, 32), 0)
    with pytest.raises(ValueError, match=r"background_share: 1.5, wanted 0 to 1"):
        PatchIndex(empty, 64, (32, 32), 0, background_share=1.5)


def test_a_patch_is_what_the_files_hold(items):
    data = SlidePatches(items, TABLE, [40, 56], [0, 2], samples_per_epoch=12, background_share=0.5, progress=False)
    assert len(data) == 12
    for number in range(12):
        patch = data[number]
        slide = items[int(patch["id"][1:])]
        top, left = patch["top"], patch["left"]
        image = open_slide(slide["image"])
        assert patch["image"].dtype == torch.float32
        assert patch["image"].shape == (6, 40, 56)
        near = torch.from_numpy(image.read(0, top, left, 40, 56)).permute(2, 0, 1) / 255
        assert torch.equal(patch["image"][:3], near)
        far = image.read(2, (2 * top + 40) // 8 - 20, (2 * left + 56) // 8 - 28, 40, 56)
        assert torch.equal(patch["image"][3:], torch.from_numpy(far).permute(2, 0, 1) / 255)
        label = open_label(slide["label"], TABLE).read(0, top, left, 40, 56)
        assert patch["label"].dtype == torch.uint8
        assert np.array_equal(patch["label"].numpy(), label)


def test_epochs_differ_and_repeat(items):
    def drawn(seed, epoch):
        data = SlidePatches(items, TABLE, 48, seed=seed, samples_per_epoch=20, progress=False)
        trainer = SimpleNamespace(
            state=SimpleNamespace(epoch=epoch, rank=0, dataloader=None), set_data=lambda loader: None
        )
        EpochSeed(7, [data])(trainer)
        return data.places.tolist()

    assert drawn(0, 1) == drawn(0, 1)
    assert drawn(0, 1) != drawn(0, 2)
    assert drawn(0, 1) != drawn(1, 1)


def test_as_many_patches_as_tile_what_is_labelled(items):
    assert len(SlidePatches(items, TABLE, [40, 56], progress=False)) == round(2 * (4000 + 20) / (40 * 56))
    assert len(SlidePatches(items, TABLE, [40, 56], [3], progress=False)) == 1


def test_background_patches_show_tissue(items):
    data = SlidePatches(items, TABLE, 32, samples_per_epoch=30, background_share=1.0, progress=False)
    for number in range(30):
        assert (data[number]["label"] == 0).all()
        assert (data[number]["image"] < 0.9).any()


@pytest.mark.slow
def test_workers_read_the_same_patches(items):
    data = SlidePatches(items, TABLE, [40, 56], [0, 1], samples_per_epoch=10, progress=False)
    alone = [patch["image"] for patch in DataLoader(data, batch_size=5)]
    with_workers = [patch["image"] for patch in DataLoader(data, batch_size=5, num_workers=2)]
    assert all(torch.equal(one, other) for one, other in zip(alone, with_workers, strict=True))


def test_a_pickled_dataset_reads_the_same(items):
    data = SlidePatches(items, TABLE, 40, samples_per_epoch=4, progress=False)
    again = pickle.loads(pickle.dumps(data))
    assert torch.equal(again[3]["image"], data[3]["image"])


def test_a_grid_covers_each_pixel_that_is_not_glass(items):
    grid = SlideGrid(items, TABLE, [64, 80], keep_glass=True)
    for number, (height, width) in enumerate(SIZES):
        covered = np.zeros((height, width), dtype=int)
        for top, left in grid.places[grid.places[:, 0] == number][:, 1:].tolist():
            assert 0 <= top <= height - 64
            assert 0 <= left <= width - 80
            covered[top : top + 64, left : left + 80] += 1
        assert covered.min() == 1
    without = SlideGrid(items, TABLE, [64, 80])
    assert 0 < len(without) < len(grid)
    assert all((patch["image"] < 0.9).any() for patch in (without[n] for n in range(len(without))))


def test_a_grid_may_be_thinned_out_and_lies_at_its_level(items):
    grid = SlideGrid(items, TABLE, [16, 20], [1, 3], patches_per_slide=7)
    assert np.bincount(grid.places[:, 0]).tolist() == [7, 7]
    number, top, left = grid.places[5].tolist()
    label = open_label(items[number]["label"], TABLE).read(1, top, left, 16, 20)
    assert np.array_equal(grid[5]["label"].numpy(), label)
    small = SlideGrid(items[1:], TABLE, [256, 300], keep_glass=True)
    assert small.places.tolist() == [[0, -23, -20]]


def test_transform_is_applied(items):
    data = SlideGrid(items, TABLE, 64, transform=lambda patch: {"sum": int(patch["label"].sum())})
    assert set(data[0]) == {"sum"}


def test_label_maps_of_another_size_or_none_are_errors(items):
    with pytest.raises(DataError, match=r"mask0.png: 420 x 300 \(W x H\), the slide has 300 x 420; wanted one size"):
        SlidePatches([{**items[0], "size": [420, 300]}], TABLE, 64, progress=False)
    bare = {key: value for key, value in items[0].items() if key != "label"}
    with pytest.raises(DataError, match="s0: has no label; wanted slides with label maps"):
        SlideGrid([bare], TABLE, 64)


def test_stray_colours_are_errors_before_training(items):
    table = parse_color_table({"classes": COLORS["classes"][:2]}, "colors.yaml")
    with pytest.raises(DataError, match=r"mask0.png: 4000 of 126000 pixels .*\(86, 180, 233\) 4000 px"):
        SlidePatches(items, table, 64, progress=False)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"roi_size": [0, 5]}, "wanted .h, w. of at least one pixel"),
        ({"samples_per_epoch": 0}, "samples_per_epoch: 0, wanted at least 1, or null"),
        ({"levels": [2, 0]}, "levels: .2, 0., wanted different ones from 0 on, the finest first"),
    ],
)
def test_options_out_of_range_are_errors(items, options, problem):
    with pytest.raises(ValueError, match=problem):
        SlidePatches(items, TABLE, **{"roi_size": 64, "progress": False, **options})
    with pytest.raises(ValueError, match="patches_per_slide: 0, wanted at least 1, or null"):
        SlideGrid(items, TABLE, 64, patches_per_slide=0)
    with pytest.raises(ValueError, match="data: no slides"):
        SlideGrid([], TABLE, 64)


@pytest.mark.parametrize("levels", [[], [-1], [0, 0], [1, 2, 0]])
def test_levels_begin_with_the_finest(levels):
    with pytest.raises(ValueError, match="wanted different ones from 0 on"):
        checked_levels(levels)


def test_few_files_are_open_at_a_time(items, caplog, monkeypatch):
    slides = OpenSlides(items, TABLE, files=2)
    first = slides.image(0)
    assert slides.image(0) is first
    slides.image(1)
    slides.label(0)
    assert slides.image(0) is not first
    monkeypatch.setattr("monai_gi.datasets.open_slides.SLOW_PIXELS", 1000)
    whole = OpenSlides(items, TABLE, whole_pixels=150_000)
    one = whole.label(0)
    assert whole.label(0) is one
    with caplog.at_level(logging.WARNING, logger="monai_gi"):
        whole.label(1)
        assert whole.label(0) is not one
    assert caplog.text.count("decoded whole again when its next patch is drawn. Convert PNG, JPEG") == 1
