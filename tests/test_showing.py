"""`monai-gi show`: whatever it is given, the outlines lie where the labels are, and nobody's name is on the sheet."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_gi.errors import DataError
from monai_gi.labels import ORGANS, POLYP_RGB
from monai_gi.pictures import read_rgb
from monai_gi.rle import encode_rle
from monai_gi.showing import show
from monai_gi.showing.planes import Plane, draw_plane
from monai_gi.showing.scans import scan_view, title_of
from monai_gi.showing.views import Tile, View, draw_view, palette, spread
from tests.drawn_contoured_dicom import draw_organs, write_contours, write_images
from tests.drawn_nifti_files import draw_affine, write_volume

SMALL_BOWEL, STOMACH = ORGANS[1].rgb, ORGANS[2].rgb


def near(picture: np.ndarray, rgb: tuple[int, int, int]) -> np.ndarray:
    """(h, w) bool: pixels of this colour, but for the softening of edges."""
    return np.abs(picture.astype(int) - rgb).max(axis=2) < 25


def has_outline(picture: np.ndarray, rgb: tuple[int, int, int]) -> bool:
    """Whether a colour stands on the sheet above the legend, which holds each once."""
    return bool(near(picture[: -2 * 26 - 4], rgb).any())


@pytest.fixture
def series(tmp_path) -> Path:
    """One drawn series with its RTSTRUCT in one folder: 4 slices, the stomach on the last alone; a name in capitals."""
    write_images(tmp_path / "scan", 1)
    write_contours(
        tmp_path / "scan" / "contours.dcm", tmp_path / "scan", names=("Large Bowel", "small_bowel", "stomach")
    )
    return tmp_path / "scan"


def write_frames(root: Path, names=("2", "7", "11"), size=(30, 44)) -> Path:
    """Frames in the layout of CVC-ClinicDB; the polyp is a box at the lower right."""
    for folder in ("Original", "Ground Truth"):
        (root / "PNG" / folder).mkdir(parents=True)
    for name in names:
        frame, mask = np.full((*size, 3), (150, 90, 60), np.uint8), np.zeros(size, np.uint8)
        mask[18:26, 30:40] = 255
        Image.fromarray(frame).save(root / "PNG" / "Original" / f"{name}.png")
        Image.fromarray(mask).save(root / "PNG" / "Ground Truth" / f"{name}.png")
    return root


def write_slices(root: Path, numbers=(1, 2, 5)) -> Path:
    """A scan of the contest with train.csv: a stomach on slice 2 alone."""
    folder = root / "train" / "case1" / "case1_day0" / "scans"
    folder.mkdir(parents=True)
    rows, mask = ["id,class,segmentation"], np.zeros((31, 23), dtype=bool)
    mask[10:20, 5:15] = True
    for number in numbers:
        pixels = np.random.default_rng(number).integers(0, 900, (31, 23)).astype(np.uint16)
        Image.fromarray(pixels).save(folder / f"slice_{number:04d}_23_31_1.50_1.50.png")
        for organ in ORGANS:
            runs = encode_rle(mask) if (organ.name, number) == ("stomach", 2) else ""
            rows.append(f"case1_day0_slice_{number:04d},{organ.name},{runs}")
    (root / "train.csv").write_text("\n".join(rows) + "\n")
    return folder.parent


def test_a_series_is_shown_with_the_contours_that_lie_beside(series, tmp_path):
    written = show(series, output=tmp_path / "sheet.png")
    picture = read_rgb(written)
    assert written == tmp_path / "sheet.png"
    assert all(has_outline(picture, organ.rgb) for organ in ORGANS)


def test_slices_are_counted_as_the_captions_count_them(series, tmp_path):
    first = read_rgb(show(series, slice_number=1, output=tmp_path / "1.png"))
    last = read_rgb(show(series, slice_number=4, output=tmp_path / "4.png"))
    # the small bowel is on slices 1 to 3, the stomach on slice 4
    assert (has_outline(first, SMALL_BOWEL), has_outline(first, STOMACH)) == (True, False)
    assert (has_outline(last, SMALL_BOWEL), has_outline(last, STOMACH)) == (False, True)


def test_a_structure_set_finds_its_series_beside_or_where_it_is_told(series, tmp_path):
    moved = tmp_path / "elsewhere" / "contours.dcm"
    moved.parent.mkdir()
    (series / "contours.dcm").rename(moved)
    with pytest.raises(DataError, match=r"its series [0-9.]+ is not in .*elsewhere\. Name .* --images DIR"):
        show(moved, output=tmp_path / "no.png")
    picture = read_rgb(show(moved, images=series, output=tmp_path / "yes.png"))
    assert has_outline(picture, STOMACH)
    assert not (tmp_path / "no.png").exists()


def test_a_folder_of_several_scans_shows_each_and_takes_one_by_its_uid(series, tmp_path):
    from monai_gi.dicom.series import find_series

    write_images(tmp_path / "other", 2)
    write_contours(tmp_path / "other" / "c.dcm", tmp_path / "other", names=("a", "b", "c"), masks=draw_organs())
    both = read_rgb(show(tmp_path, output=tmp_path / "both.png"))
    with pytest.raises(DataError, match="2 scans, and --slice takes one out of a single scan"):
        show(tmp_path, slice_number=1, output=tmp_path / "no.png")
    with pytest.raises(DataError, match=r"series 9\.9 asked for; there are"):
        show(next(series.glob("IM*")), series="9.9", output=tmp_path / "no.png")
    (one,) = find_series(series)
    alone = read_rgb(show(tmp_path, series=one.uid, slice_number=4, output=tmp_path / "one.png"))
    assert has_outline(both, SMALL_BOWEL)
    assert has_outline(alone, STOMACH)


def test_a_patients_name_is_nowhere(series, tmp_path, monkeypatch):
    from monai_gi.dicom.series import find_series
    from monai_gi.readers.dicom import read_series

    (one,) = find_series(series)
    scan = read_series(one)
    said = [title_of(scan), *(tile.caption for tile in scan_view(scan, {}, "").tiles)]
    assert one.patient_name
    assert not any(one.patient_name in text or one.patient_id in text for text in said)
    monkeypatch.chdir(tmp_path)
    assert one.patient_name not in str(show(series))


def test_slices_of_the_contest_get_the_run_lengths_of_the_table_above(tmp_path):
    folder = write_slices(tmp_path)
    sheet = read_rgb(show(tmp_path, output=tmp_path / "root.png"))
    second = read_rgb(show(folder, slice_number=2, output=tmp_path / "2.png"))
    fifth = read_rgb(show(folder, slice_number=5, output=tmp_path / "5.png"))
    alone = read_rgb(show(next(folder.glob("scans/slice_0002*")), output=tmp_path / "file.png"))
    assert [has_outline(one, STOMACH) for one in (sheet, second, fifth, alone)] == [True, True, False, True]


def test_a_run_length_out_of_the_slice_names_its_row(tmp_path):
    folder = write_slices(tmp_path)
    table = tmp_path / "train.csv"
    table.write_text(
        table.read_text().replace("case1_day0_slice_0005,stomach,", "case1_day0_slice_0005,stomach,9999 3")
    )
    with pytest.raises(DataError, match=r"case1_day0_slice_0005, stomach: run 1 \(9999 3\) is out of the image.*index"):
        show(folder, output=tmp_path / "no.png")


def test_a_label_volume_is_drawn_on_black_or_on_its_image(tmp_path):
    labels = np.zeros((20, 26, 4), np.uint8)
    labels[5:15, 6:20, 1] = 3
    grey = np.random.default_rng(0).integers(0, 500, labels.shape).astype(np.uint16)
    mask = write_volume(tmp_path / "a_labels.nii.gz", labels)
    mask.with_name("a_labels.json").write_text(json.dumps({"labels": {"3": "stomach"}}))
    image = write_volume(tmp_path / "a.nii.gz", grey)
    alone = read_rgb(show(mask, slice_number=2, output=tmp_path / "alone.png"))
    on_image = read_rgb(show(mask, slice_number=2, images=image, output=tmp_path / "on.png"))
    plain = read_rgb(show(image, slice_number=2, output=tmp_path / "plain.png"))
    assert [has_outline(one, STOMACH) for one in (alone, on_image, plain)] == [True, True, False]
    middle = alone[alone.shape[0] // 2, alone.shape[1] // 2]
    assert middle.tolist() == pytest.approx([0.4 * value for value in STOMACH], abs=2)  # tinted, as nothing is below


def test_masks_with_a_channel_axis_are_labels(tmp_path):
    masks = np.zeros((20, 26, 4, 3), np.uint8)
    masks[5:15, 6:20, :, 1] = 1
    path = write_volume(tmp_path / "m.nii.gz", masks)
    assert has_outline(read_rgb(show(path, output=tmp_path / "m.png")), SMALL_BOWEL)


def test_an_image_volume_among_several_scans_does_not_say_which(tmp_path):
    labels = write_volume(tmp_path / "l.nii.gz", np.eye(7, 5, dtype=np.uint8)[..., None].repeat(4, axis=2))
    for name in "ab":
        write_volume(tmp_path / "images" / f"{name}.nii.gz", np.arange(140, dtype=np.uint16).reshape(7, 5, 4))
    with pytest.raises(DataError, match=r"holds 2 scans. Name the one that l\.nii\.gz belongs to"):
        show(labels, images=tmp_path / "images", output=tmp_path / "no.png")


def test_a_volume_of_another_grid_is_no_label_of_the_image(tmp_path):
    labels = write_volume(tmp_path / "l.nii.gz", np.ones((7, 5, 4), np.uint8), draw_affine(origin=(0, 0, 0.7)))
    image = write_volume(tmp_path / "i.nii.gz", np.arange(140, dtype=np.uint16).reshape(7, 5, 4))
    with pytest.raises(DataError, match="do not coincide"):
        show(labels, images=image, output=tmp_path / "no.png")


def test_frames_are_shown_with_their_masks_in_the_order_of_their_numbers(tmp_path):
    root = write_frames(tmp_path / "cvc")
    sheet = read_rgb(show(root, output=tmp_path / "all.png"))
    seventh = read_rgb(show(root, slice_number=7, output=tmp_path / "7.png"))
    alone = read_rgb(show(root / "PNG" / "Original" / "7.png", output=tmp_path / "alone.png"))
    assert has_outline(sheet, POLYP_RGB)
    # the polyp is a box in the lower right quarter of the frame
    rows, columns = np.nonzero(near(seventh[:-60], POLYP_RGB))
    assert rows.min() > 0.5 * seventh.shape[0]
    assert columns.min() > 0.5 * seventh.shape[1]
    assert np.array_equal(alone[52:-60], seventh[52:-60])
    with pytest.raises(DataError, match="3 asked for; there is picture 2 to 11"):
        show(root, slice_number=3, output=tmp_path / "no.png")


def test_a_colour_map_that_nobody_named_stands_beside_its_picture(tmp_path):
    for folder, rgb in (("images", (200, 200, 200)), ("masks", (255, 0, 0))):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (60, 40), rgb).save(tmp_path / folder / "1.png")
    picture = read_rgb(show(tmp_path, output=tmp_path / "sheet.png"))
    red, grey = (int(near(picture, rgb).sum()) for rgb in ((255, 0, 0), (200, 200, 200)))
    assert red == pytest.approx(grey, rel=0.02)
    assert red > 1000


def test_slides_get_the_classes_of_their_table(tmp_path):
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    colors = np.zeros((60, 90, 3), np.uint8)
    colors[10:40, 50:80] = (1, 2, 3)
    Image.new("RGB", (90, 60), (255, 255, 255)).save(tmp_path / "images" / "s.png")
    Image.fromarray(colors).save(tmp_path / "masks" / "s.png")
    (tmp_path / "colors.yaml").write_text(
        "classes:\n- {name: background, index: 0, rgb: [0, 0, 0]}\n- {name: glomerulus, index: 1, rgb: [1, 2, 3]}\n"
    )
    picture = read_rgb(show(tmp_path, output=tmp_path / "sheet.png"))
    tinted = tuple(round(255 + 0.4 * (value - 255)) for value in (213, 94, 0))
    share = near(picture, tinted).sum() / (near(picture, tinted).sum() + near(picture, (255, 255, 255)).sum())
    assert share == pytest.approx(30 * 30 / (60 * 90), abs=0.02)


def test_a_label_image_of_small_numbers_is_not_black(tmp_path):
    Image.fromarray(np.array([[0, 1], [2, 2]], np.uint8).repeat(20, axis=0).repeat(20, axis=1)).save(tmp_path / "l.png")
    picture = read_rgb(show(tmp_path / "l.png", output=tmp_path / "out.png"))
    colors = {tuple(rgb) for rgb in picture[60:-40].reshape(-1, 3).tolist()}
    assert set(palette(["class 1", "class 2"])) <= colors


def test_pictures_at_any_depth_are_shown_where_nothing_else_is(tmp_path):
    (tmp_path / "overlays" / "case1").mkdir(parents=True)
    Image.new("RGB", (40, 30), (10, 200, 30)).save(tmp_path / "overlays" / "case1" / "slice_3.png")
    assert near(read_rgb(show(tmp_path, output=tmp_path / "out.png")), (10, 200, 30)).any()


@pytest.mark.parametrize("name", ["notes.txt", "list.json", "damaged.json"])
def test_what_can_not_be_shown_says_what_can(name, tmp_path):
    (tmp_path / name).write_text({"list.json": "{}", "damaged.json": "{"}.get(name, "words"))
    with pytest.raises(DataError, match=r"is (a text file|no JSON|no datalist).*DICOM series.*can be shown"):
        show(tmp_path / name, output=tmp_path / "out.png")


def test_a_datalist_stands_for_its_folder(tmp_path):
    write_slices(tmp_path)
    (tmp_path / "datalist.json").write_text('{"training": []}')
    assert has_outline(read_rgb(show(tmp_path / "datalist.json", output=tmp_path / "o.png")), STOMACH)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"path": "absent"}, "no such file or folder; DICOM series"),
        ({"images": "absent"}, "--images: .*absent: no such file or folder. Name the scan"),
        ({"output": "sheet.jpg"}, r"sheet.jpg: a picture is written as PNG; name a file .*--output"),
        ({"output": "."}, "a picture is written as PNG"),
        ({"path": "frame.png", "output": "frame.png"}, "is what is to be shown, and would be written over"),
    ],
)
def test_a_mistaken_word_is_one_sentence(given, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (20, 10)).save("frame.png")
    words = {"path": "frame.png", **given}
    with pytest.raises(DataError, match=message):
        show(words.pop("path"), **words)


def test_without_an_output_the_file_is_named_after_what_is_shown(series, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert show(series) == Path("show-scan.png")
    assert Path("show-scan.png").is_file()


def test_a_scan_that_can_not_be_read_does_not_hide_the_others(series, tmp_path):
    other = tmp_path / "other"
    write_images(other, 2)
    (file := sorted(other.iterdir())[1]).unlink()
    assert show(tmp_path, output=tmp_path / "gap.png")  # gaps are shown as they are
    files = sorted(other.iterdir())
    files[0].write_bytes(files[0].read_bytes()[:-200])
    picture = read_rgb(show(tmp_path, output=tmp_path / "cut.png"))
    assert has_outline(picture, SMALL_BOWEL)
    assert file.name not in {path.name for path in files}


def recording_tiles(count, drawn, marked=()):
    def draw(number, longest):
        drawn.append(number)
        return np.zeros((40, 40, 3), np.uint8)

    return tuple(Tile(n, str(n), partial(draw, n), n in marked) for n in range(count))


def test_a_sheet_holds_twelve_tiles_evenly_spread_and_says_so():
    drawn = []
    tiles = tuple(
        Tile(n, str(n), lambda px, n=n: drawn.append(n) or np.zeros((40, 40, 3), np.uint8)) for n in range(40)
    )
    draw_view(View("scan", tiles))
    assert drawn == [0, 4, 7, 11, 14, 18, 21, 25, 28, 32, 35, 39]
    assert spread(1) == [0]


def test_tiles_with_labels_come_before_those_without():
    drawn: list[int] = []
    draw_view(View("scan", recording_tiles(9, drawn, marked=(5, 6))))
    assert drawn == [5, 6]


@pytest.mark.parametrize(
    ("size", "spacing", "wanted"),
    [
        ((100, 50), (1, 1), (200, 100)),  # enlarged to the size asked for
        ((1000, 500), (1, 1), (200, 100)),  # shrunk
        ((20, 100), (5, 1), (200, 200)),  # true proportions
        ((20, 1000), (10, 1), (40, 200)),  # the fine axis shrinks, the coarse one does not
        ((10, 10), (1, 1), (60, 60)),  # six times is enough
    ],
)
def test_a_plane_fits_the_size_in_true_proportions(size, spacing, wanted):
    mask = np.ones(size, dtype=bool)
    picture = draw_plane(Plane(np.zeros(size, np.uint8), {"stomach": mask}, spacing), {"stomach": STOMACH}, 200)
    assert picture.shape == (*wanted, 3)
