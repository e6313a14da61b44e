"""`monai-gi predict` for colour frames: masks lie on their own pixels, what is written where, skipped, refused."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from monai_gi import frame_contouring
from monai_gi.cli import main
from monai_gi.contouring import NotContouredError, contour, summary
from monai_gi.errors import DataError
from monai_gi.prediction_request import Request
from monai_gi.provenance import INTENDED_USE
from tests.redness_bundle import redness_mask, write_redness_bundle

SIZE = (30, 44)  # as the bundle sees it


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_redness_bundle(tmp_path_factory.mktemp("bundle") / "redness")


def drawn_frame(size=SIZE):
    """Greenish, with a red bar at the upper right, a red dot at the lower left and two red pixels corner to corner."""
    height, width = size
    frame = np.full((height, width, 3), (90, 120, 60), dtype=np.uint8)
    frame[2 * height // 30 : 8 * height // 30, 30 * width // 44 : 42 * width // 44] = (250, 40, 30)
    frame[-5, 3] = frame[-4, 4] = (200, 10, 10)
    return frame


def write_frames(folder, **frames):
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in frames.items():
        Image.fromarray(frame).save(folder / f"{name}.png")
    return folder


def ask(bundle, source, output, **options):
    return contour(Request(bundle, source, output, weights=bundle / "model.pt", device="cpu", **options))


def result_of(outcome):
    return json.loads((outcome.folder / "result.json").read_text())


def mask_of(outcome):
    with Image.open(outcome.folder / "mask.png") as image:
        assert image.mode == "L"
        return np.asarray(image)


def test_a_picture_leaves_a_mask_of_its_own_pixels_an_overlay_and_what_was_found(tmp_path, bundle):
    frame = drawn_frame()
    source = write_frames(tmp_path / "in", polyp_7=frame) / "polyp_7.png"
    (outcome,) = ask(bundle, source, tmp_path / "out")
    assert outcome.status == "contoured"
    assert outcome.folder == tmp_path / "out" / "polyp_7"
    assert {path.name for path in outcome.folder.iterdir()} == {"mask.png", "overlay.png", "result.json"}
    assert np.array_equal(mask_of(outcome), np.where(redness_mask(frame), 255, 0))
    result = result_of(outcome)
    assert result["intended_use"] == INTENDED_USE
    assert result["frame"] == {"name": "polyp_7", "kind": "frame", "size": [30, 44]}
    found = result["classes"]["polyp"]
    assert found["pixels"] == 6 * 12 + 2
    assert found["share"] == pytest.approx(74 / (30 * 44), abs=1e-6)
    assert [region["pixels"] for region in found["regions"]] == [72, 2]
    box = {"top": 2, "left": 30, "height": 6, "width": 12}
    assert found["regions"][0].items() >= box.items()
    assert found["regions"][1].items() >= {"top": 25, "left": 3, "height": 2, "width": 2}.items()
    assert found["largest_probability"] == pytest.approx(1, abs=1e-3)
    assert result["made_by"]["bundle_name"] == "redness"
    assert set(result["seconds"]) == {"read", "forward", "rules", "write all"}
    assert str(tmp_path) not in json.dumps(result)
    assert INTENDED_USE in summary([outcome])


def test_a_frame_of_another_size_and_shape_gets_a_mask_of_its_own_size(tmp_path, bundle):
    frame = drawn_frame((90, 66))
    (outcome,) = ask(bundle, write_frames(tmp_path / "in", a=frame) / "a.png", tmp_path / "out")
    found, wanted = mask_of(outcome) > 0, redness_mask(frame)
    wanted[80:] = False  # two single pixels, which the network does not see at a third of the size
    assert found.shape == (90, 66)
    assert 2 * (found & wanted).sum() / (found.sum() + wanted.sum()) > 0.85


def test_an_empty_frame_is_said_to_be_empty(tmp_path, bundle):
    frame = np.full((*SIZE, 3), 70, dtype=np.uint8)
    frame[..., 1] = 90
    (outcome,) = ask(bundle, write_frames(tmp_path / "in", a=frame) / "a.png", tmp_path / "out")
    assert not mask_of(outcome).any()
    found = result_of(outcome)["classes"]["polyp"]
    assert (found["pixels"], found["share"], found["regions"]) == (0, 0, [])


def test_a_folder_is_taken_in_natural_order_without_its_masks_and_hidden_files(tmp_path, bundle):
    folder = write_frames(tmp_path / "in", **{name: drawn_frame() for name in ("11", "2", ".hidden")})
    write_frames(folder, truth=np.zeros(SIZE, dtype=np.uint8))
    (folder / "notes.txt").write_text("no picture")
    Image.fromarray(drawn_frame()).save(folder / "photo.of_unknown_suffix", format="JPEG")
    outcomes = ask(bundle, folder, tmp_path / "out", formats=("mask",))
    assert [outcome.name for outcome in outcomes] == ["2", "11", "photo", "truth"]
    assert [outcome.status for outcome in outcomes] == ["contoured"] * 3 + ["left out: grey, as masks are"]
    assert not (tmp_path / "out" / "truth").exists()
    with pytest.raises(DataError, match=r"all 1 pictures are grey, .* named by itself is contoured nevertheless"):
        ask(bundle, write_frames(tmp_path / "masks", truth=np.zeros(SIZE, dtype=np.uint8)), tmp_path / "out")
    (alone,) = ask(bundle, folder / "truth.png", tmp_path / "out", formats=("mask",))
    assert alone.status == "contoured"


def test_pictures_of_one_stem_get_folders_of_their_own_that_do_not_change(tmp_path, bundle, capfd):
    folder = write_frames(tmp_path / "in", a=drawn_frame())
    Image.fromarray(drawn_frame()[::-1]).save(folder / "a.jpg")
    names = {outcome.name for outcome in ask(bundle, folder, tmp_path / "out", formats=("mask",))}
    assert len(names) == 2
    assert all(name.startswith("a-") for name in names)
    capfd.readouterr()
    again = ask(bundle, folder, tmp_path / "out", formats=("mask",))
    assert capfd.readouterr().err == ""  # no bar of nothing
    assert {(outcome.name, outcome.status) for outcome in again} == {(name, "already done") for name in names}


def test_a_folder_without_pictures_names_those_below_it(tmp_path, bundle):
    write_frames(tmp_path / "in" / "PNG" / "Original", a=drawn_frame(), b=drawn_frame())
    write_frames(tmp_path / "in" / "PNG" / "Ground Truth", a=drawn_frame())
    with pytest.raises(DataError, match=r"below it there are 2 in PNG/Original, 1 in PNG/Ground Truth\. Name one"):
        ask(bundle, tmp_path / "in", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no picture lies directly in this folder; PNG, JPEG or TIFF are wanted"):
        ask(bundle, tmp_path / "empty", tmp_path / "out")


def test_a_broken_picture_does_not_keep_the_others_from_being_contoured(tmp_path, bundle, capsys):
    folder = write_frames(tmp_path / "in", a=drawn_frame(), b=drawn_frame())
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:-60])
    (folder / "none.jpg").write_bytes(b"")
    words = ["predict", str(bundle), str(folder), "--weights", str(bundle / "model.pt"), "--device", "cpu"]
    assert main([*words, "--output", str(tmp_path / "out")]) == 2
    told = capsys.readouterr()
    assert told.out.count("contoured in") == 2
    assert "error: not contoured: 2 problems:" in told.err
    assert "cut.png: can not be read" in told.err
    assert "none.jpg: is empty (0 bytes)" in told.err
    assert {path.parent.name for path in (tmp_path / "out").rglob("result.json")} == {"a", "b"}


def test_pictures_of_other_kinds_and_lost_links_are_not_passed_over_in_silence(tmp_path, bundle):
    folder = write_frames(tmp_path / "in", a=drawn_frame())
    Image.fromarray(drawn_frame()).save(folder / "b.bmp")
    (folder / "c.png").symlink_to("gone.png")
    with pytest.raises(
        NotContouredError, match=r"2 problems:\s+\S*b\.bmp: is no PNG[\s\S]*c\.png: no such file"
    ) as told:
        ask(bundle, folder, tmp_path / "out", formats=("mask",))
    assert [outcome.name for outcome in told.value.outcomes] == ["a"]


def test_the_pixel_budget_of_the_request_holds(tmp_path, bundle):
    source = write_frames(tmp_path / "in", a=drawn_frame()) / "a.png"
    with pytest.raises(NotContouredError, match="over the budget of 1,000"):
        ask(bundle, source, tmp_path / "out", max_pixels=1000)
    ask(bundle, source, tmp_path / "out", max_pixels=30 * 44)


def test_thresholds_change_the_mask_and_a_result_of_other_settings_is_not_taken_for_done(tmp_path, bundle):
    frame = drawn_frame()
    frame[12:15, 5:20] = (152, 10, 10)  # 0.596 of red: a probability of 0.32
    source = write_frames(tmp_path / "in", a=frame) / "a.png"
    (outcome,) = ask(bundle, source, tmp_path / "out")
    before = mask_of(outcome).astype(bool).sum()
    with pytest.raises(DataError, match="made with other thresholds"):
        ask(bundle, source, tmp_path / "out", thresholds=(("polyp", 0.3),))
    ask(bundle, source, tmp_path / "out", thresholds=(("polyp", 0.3),), overwrite=True)
    assert mask_of(outcome).astype(bool).sum() == before + 45
    assert result_of(outcome)["settings"]["thresholds"] == {"polyp": 0.3}
    with pytest.raises(DataError, match="--threshold: 'stomach' asked for, there are polyp"):
        ask(bundle, source, tmp_path / "out", thresholds=(("stomach", 0.3),))
    with pytest.raises(DataError, match="wanted a probability"):
        ask(bundle, source, tmp_path / "out", thresholds=((None, 3),))


def test_redone_results_leave_nothing_of_other_settings_beside(tmp_path, bundle):
    source = write_frames(tmp_path / "in", a=drawn_frame()) / "a.png"
    (outcome,) = ask(bundle, source, tmp_path / "out")
    (again,) = ask(bundle, source, tmp_path / "out", formats=("mask",))
    assert again.status == "already done"
    (outcome.folder / "notes.txt").write_text("kept")
    (outcome.folder / "overlay.png.part").write_text("")
    ask(bundle, source, tmp_path / "out", formats=("mask",), overwrite=True)
    assert {path.name for path in outcome.folder.iterdir()} == {"mask.png", "result.json", "notes.txt"}
    with pytest.raises(DataError, match=r"made without overlay\. --overwrite"):
        ask(bundle, source, tmp_path / "out")


def test_another_picture_of_the_same_name_is_not_taken_for_done(tmp_path, bundle):
    ask(bundle, write_frames(tmp_path / "1", a=drawn_frame()) / "a.png", tmp_path / "out")
    with pytest.raises(DataError, match="made with other input_sha256"):
        ask(bundle, write_frames(tmp_path / "2", a=drawn_frame()[::-1]) / "a.png", tmp_path / "out")


def test_mirrored_passes_are_recorded_and_change_nothing_for_a_network_that_sees_single_pixels(tmp_path, bundle):
    source = write_frames(tmp_path / "in", a=drawn_frame()) / "a.png"
    (outcome,) = ask(bundle, source, tmp_path / "out", tta=True)
    assert result_of(outcome)["settings"]["flips"] == ["left_right"]
    assert np.array_equal(mask_of(outcome) > 0, redness_mask(drawn_frame()))


def test_formats_and_options_of_scans_are_refused_before_any_work(tmp_path, bundle):
    source = write_frames(tmp_path / "in", a=drawn_frame()) / "a.png"
    with pytest.raises(DataError, match="redness: rtstruct does not suit frame input, which takes mask, overlay"):
        ask(bundle, source, tmp_path / "out", formats=("mask", "rtstruct"))
    with pytest.raises(DataError, match="--series: is for scans, and redness takes frames"):
        ask(bundle, source, tmp_path / "out", series="1.2.3")
    with pytest.raises(DataError, match="--allow-gaps: is for scans"):
        ask(bundle, source, tmp_path / "out", allow_gaps=True)
    with pytest.raises(DataError, match=r"no such file or folder\. Name a scan, a picture or a slide"):
        ask(bundle, tmp_path / "absent", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_settings_that_do_not_do_are_refused(tmp_path):
    source = write_frames(tmp_path / "in", a=drawn_frame()) / "a.png"
    without = write_redness_bundle(tmp_path / "without")
    config = json.loads((without / "inference.json").read_text())
    del config["classes"]
    (without / "inference.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match=r"inference\.json: lacks classes; wanted classes, roi_size"):
        ask(without, source, tmp_path / "out")
    for number, (changes, match) in enumerate(
        (
            ({"roi_size": [30]}, "wanted two lengths"),
            ({"thresholds": 2}, "thresholds: 2, wanted 0 to 1"),
            ({"classes": []}, "wanted different names in a list"),
            ({"flips": ["sideways"]}, "sideways"),
            ({"input": "sounds"}, "takes the input 'sounds'; known are slices, frames, slides"),
            ({"input": ["frames"]}, r"takes the input \['frames'\]"),
        )
    ):
        with pytest.raises(DataError, match=match):
            ask(write_redness_bundle(tmp_path / f"b{number}", **changes), source, tmp_path / "out")


def test_a_network_of_another_number_of_classes_is_an_error(tmp_path):
    source = write_frames(tmp_path / "in", a=drawn_frame()) / "a.png"
    bundle = write_redness_bundle(tmp_path / "two", classes=["polyp", "tool"])
    with pytest.raises(DataError, match=r"network: 1 channels, wanted one a class: 2 \(polyp, tool\)"):
        ask(bundle, source, tmp_path / "out")


def test_a_stopped_run_goes_on_with_the_frames_that_are_left(tmp_path, bundle, monkeypatch):
    folder = write_frames(tmp_path / "in", **{str(number): drawn_frame() for number in range(3)})
    real, calls = frame_contouring.write_masks, []

    def stop_at_the_second(*words):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*words)

    monkeypatch.setattr(frame_contouring, "write_masks", stop_at_the_second)
    words = ["predict", str(bundle), str(folder), "--weights", str(bundle / "model.pt"), "--device", "cpu"]
    assert main([*words, "--output", str(tmp_path / "out")]) == 130
    assert [path.parent.name for path in (tmp_path / "out").rglob("result.json")] == ["0"]
    monkeypatch.undo()
    assert [one.status for one in ask(bundle, folder, tmp_path / "out")] == ["already done", "contoured", "contoured"]


def test_a_broken_record_of_an_earlier_run_is_told_with_its_repair(tmp_path, bundle):
    source = write_frames(tmp_path / "in", a=drawn_frame()) / "a.png"
    (outcome,) = ask(bundle, source, tmp_path / "out")
    (outcome.folder / "result.json").write_text("{}")
    request = Request(bundle, source, tmp_path / "out", weights=bundle / "model.pt", device="cpu")
    with pytest.raises(DataError, match=r"can not be read .* --overwrite makes it anew"):
        contour(request)
    assert contour(replace(request, overwrite=True))[0].status == "contoured"
    shutil.rmtree(outcome.folder)


def test_a_frame_is_at_most_a_hundred_megapixels_unless_asked(tmp_path, bundle, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "monai_gi.frame_contouring.read_rgb", lambda path, max_pixels: seen.append(max_pixels) or drawn_frame()
    )
    ask(bundle, write_frames(tmp_path / "in", a=drawn_frame()) / "a.png", tmp_path / "out", formats=("mask",))
    assert seen == [100_000_000]
