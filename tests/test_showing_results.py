"""`monai-gi show` of what `predict` wrote: with its pictures, without them, and drawn anew on the images."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_gi.confidence import Confidence
from monai_gi.dicom.series import find_series
from monai_gi.errors import DataError
from monai_gi.labels import ORGANS
from monai_gi.outputs import Results, write_outputs
from monai_gi.pictures import read_rgb
from monai_gi.predictor import Prediction
from monai_gi.readers.dicom import read_series
from monai_gi.showing import show
from monai_gi.showing.results import shortened
from tests.drawn_contoured_dicom import MADE_BY, SIZE, draw_organs, write_images
from tests.test_showing import has_outline

LARGE_BOWEL, SMALL_BOWEL, STOMACH = (organ.rgb for organ in ORGANS)


def write_result(images: Path, output: Path, formats) -> Path:
    """What `predict` leaves of the one series below `images`, had its network drawn three boxes."""
    (series,) = find_series(images)
    masks = draw_organs()
    confidence = Confidence(np.zeros(SIZE[2], np.float32), None)
    prediction = Prediction(masks, masks.astype(np.float32), confidence, (0.0, 900.0), {})
    write_outputs(output / series.uid, Results(read_series(series), prediction, MADE_BY, {}), formats, {})
    return output / series.uid


@pytest.fixture
def images(tmp_path) -> Path:
    write_images(tmp_path / "images", 1)
    return tmp_path / "images"


def test_a_result_is_shown_by_its_pictures_without_their_own_legends(images, tmp_path):
    folder = write_result(images, tmp_path / "contours", ("overlay",))
    whole = read_rgb(show(folder, output=tmp_path / "all.png"))
    by_record = read_rgb(show(folder / "result.json", output=tmp_path / "record.png"))
    last = read_rgb(show(folder, slice_number=4, output=tmp_path / "4.png"))
    assert np.array_equal(whole, by_record)
    assert has_outline(whole, LARGE_BOWEL)
    assert [has_outline(last, rgb) for rgb in (LARGE_BOWEL, SMALL_BOWEL, STOMACH)] == [True, False, True]


def test_a_result_without_pictures_is_drawn_from_its_label_maps(images, tmp_path):
    folder = write_result(images, tmp_path / "contours", ("nifti",))
    first = read_rgb(show(folder, slice_number=1, output=tmp_path / "1.png"))
    assert [has_outline(first, rgb) for rgb in (SMALL_BOWEL, STOMACH)] == [True, False]


@pytest.mark.parametrize("form", ["nifti", "rtstruct", "dicom-seg"])
def test_a_result_is_drawn_anew_on_the_images_that_it_is_of(form, images, tmp_path):
    pytest.importorskip("highdicom")
    folder = write_result(images, tmp_path / "contours", (form,))
    write_images(tmp_path / "others", 2)
    last = read_rgb(show(folder, images=images, slice_number=4, output=tmp_path / "4.png"))
    assert [has_outline(last, rgb) for rgb in (LARGE_BOWEL, SMALL_BOWEL, STOMACH)] == [True, False, True]
    with pytest.raises(DataError, match=r"others: holds no scan [0-9.]+, which [0-9.]+ is the result of"):
        show(folder, images=tmp_path / "others", output=tmp_path / "no.png")


def test_a_result_of_contours_alone_asks_for_its_images(images, tmp_path):
    folder = write_result(images, tmp_path / "contours", ("rtstruct",))
    with pytest.raises(DataError, match=r"neither pictures nor label maps\. Name what was contoured: --images PATH"):
        show(folder, output=tmp_path / "no.png")
    (folder / "rtstruct.dcm").unlink()
    with pytest.raises(DataError, match=r"holds no contours\. `monai-gi predict --format nifti` adds them"):
        show(folder, images=images, output=tmp_path / "no.png")


def test_a_folder_of_results_shows_each_and_one_alone_is_shown_whole(images, tmp_path):
    output = tmp_path / "contours"
    folder = write_result(images, output, ("overlay",))
    alone = read_rgb(show(output, output=tmp_path / "one.png"))
    assert np.array_equal(alone, read_rgb(show(folder, output=tmp_path / "same.png")))
    frame = output / "frame_1"
    frame.mkdir()
    (frame / "result.json").write_text("{}")
    Image.new("RGB", (60, 50), (9, 90, 200)).save(frame / "overlay.png")
    both = read_rgb(show(output, output=tmp_path / "both.png"))
    assert has_outline(both, LARGE_BOWEL)
    assert (both == (9, 90, 200)).all(axis=2).sum() == 60 * 50
    with pytest.raises(DataError, match=r"contours: 2 results.*--slice takes one out of a single scan"):
        show(output, slice_number=1, output=tmp_path / "no.png")


def test_results_without_any_picture_say_how_to_get_some(images, tmp_path):
    for name in "ab":
        (tmp_path / "out" / name).mkdir(parents=True)
        (tmp_path / "out" / name / "result.json").write_text("{}")
    with pytest.raises(DataError, match=r"have no pictures\. `monai-gi predict --format overlay` adds them"):
        show(tmp_path / "out", output=tmp_path / "no.png")


@pytest.mark.parametrize(("text", "message"), [("{", r"is no JSON .*--overwrite"), ("[]", "is no result of")])
def test_a_record_that_is_none_is_named(text, message, tmp_path):
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(DataError, match=message):
        show(tmp_path, output=tmp_path / "no.png")


def test_a_uid_is_shortened_and_a_name_is_not():
    assert shortened("1.2.826.0.1.3680043.8.498.1234567890") == "….498.1234567890"
    assert shortened("2024") == "2024"


def test_the_record_of_a_frame_holds_no_scan(tmp_path):
    (tmp_path / "result.json").write_text(json.dumps({"frame": {}}))
    with pytest.raises(DataError, match="neither pictures nor label maps"):
        show(tmp_path, output=tmp_path / "no.png")
