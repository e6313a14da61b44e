"""Drawn colonoscopy: the layout, the same bytes, near-copies in a sequence, polyps in sight; a stopped run goes on."""

import numpy as np
import pytest
from PIL import Image

from monai_gi.datasets.cvc_clinicdb import index_cvc_clinicdb
from monai_gi.datasets.phantom import cvc_clinicdb as phantom
from monai_gi.datasets.phantom.colon import draw_colon, follow_rays
from monai_gi.datasets.phantom.cvc_clinicdb import write_cvc_clinicdb
from monai_gi.errors import DataError
from monai_gi.pictures import read_mask, read_rgb

SEQUENCES, FRAMES = 2, 4


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    root = tmp_path_factory.mktemp("drawn") / "cvc"
    write_cvc_clinicdb(root, sequences=SEQUENCES, frames=FRAMES, seed=5, progress=False)
    return root


@pytest.fixture
def quick(monkeypatch):
    """Frames that cost nothing; what is asked about is the folder."""
    taken = []

    def take(film, frame, rng):
        taken.append(frame)
        return np.full((6, 8, 3), frame, np.uint8), np.linspace(0, 1, 48, dtype=np.float32).reshape(6, 8)

    monkeypatch.setattr(phantom, "draw_film", lambda rng: None)
    monkeypatch.setattr(phantom, "take_frame", take)
    return taken


def contents(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_the_layout_is_kaggle_s(drawn):
    items = index_cvc_clinicdb(drawn)
    assert [item["group"] for item in items] == ["sequence_01"] * FRAMES + ["sequence_02"] * FRAMES
    assert all(item["size"] == [288, 384] for item in items)
    assert sorted(path.name for path in drawn.iterdir()) == ["PNG", "metadata.csv"]


@pytest.mark.slow
def test_neighbours_are_near_copies_and_other_sequences_are_not(drawn):
    thumbnails = [
        np.asarray(Image.fromarray(read_rgb(item["image"])).convert("L").resize((32, 24)), float).ravel()
        for item in index_cvc_clinicdb(drawn)
    ]
    alike = np.corrcoef(thumbnails)
    assert min(alike[n, n + 1] for n in range(FRAMES - 1)) > 0.95
    assert alike[:FRAMES, FRAMES:].max() < 0.9


@pytest.mark.slow
def test_every_frame_shows_a_polyp_within_the_octagon_and_dark_corners(drawn):
    for item in index_cvc_clinicdb(drawn):
        picture, mask = read_rgb(item["image"]), read_mask(item["label"])
        assert 0.002 < mask.mean() < 0.7
        assert not mask[:10].any()
        assert picture[:20, :20].max() < 40
        assert picture[100:190, 120:260].std() > 15
        # Mucosa: red over green over blue.
        middle = picture[60:230, 80:300].reshape(-1, 3).mean(axis=0)
        assert middle[0] > middle[1] > middle[2]


@pytest.mark.slow
def test_the_seed_decides_every_byte(drawn, tmp_path):
    for seed in (5, 6):
        write_cvc_clinicdb(tmp_path / str(seed), sequences=1, frames=1, seed=seed, progress=False)
    first = drawn / "PNG" / "Original" / "1.png"
    assert (tmp_path / "5/PNG/Original/1.png").read_bytes() == first.read_bytes()
    assert (tmp_path / "6/PNG/Original/1.png").read_bytes() != first.read_bytes()


def test_rays_end_on_the_wall_or_the_polyp_and_normals_point_into_the_lumen():
    colon = draw_colon(np.random.default_rng(2))
    rng = np.random.default_rng(3)
    directions = rng.standard_normal((300, 3)).astype(np.float32)
    directions[:, 2] *= 0.2  # across the colon: every ray meets something
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    origin = np.array([*colon.middle(-1.2), -1.2], np.float32)
    hits = follow_rays(colon, origin, directions)
    met = hits.far < 4
    assert met.mean() > 0.9
    assert np.abs(colon.distance(hits.points[met])).max() < 0.02
    assert ((hits.normals * directions).sum(axis=1)[met] < 0.2).mean() > 0.95
    assert np.allclose(np.linalg.norm(hits.normals, axis=1), 1, atol=1e-3)
    assert np.array_equal(hits.is_polyp, hits.margin > 0)


def test_every_fourth_mask_has_grey_edges_that_change_nothing(tmp_path, quick):
    write_cvc_clinicdb(tmp_path, sequences=1, frames=8, progress=False)
    masks = {n: np.asarray(Image.open(tmp_path / f"PNG/Ground Truth/{n}.png")) for n in range(1, 9)}
    assert [n for n, mask in masks.items() if len(np.unique(mask)) > 2] == [4, 8]
    assert np.array_equal(masks[4] > 127, masks[1] > 127)


def test_a_stopped_run_goes_on_and_ends_in_the_same_bytes(tmp_path, quick, monkeypatch):
    write_cvc_clinicdb(tmp_path / "whole", sequences=2, frames=3, progress=False)
    quick.clear()
    take = phantom.take_frame

    def stop(film, frame, rng):
        if len(quick) == 4:
            raise KeyboardInterrupt
        return take(film, frame, rng)

    monkeypatch.setattr(phantom, "take_frame", stop)
    with pytest.raises(KeyboardInterrupt):
        write_cvc_clinicdb(tmp_path / "stopped", sequences=2, frames=3, progress=False)
    assert not (tmp_path / "stopped/metadata.csv").exists()
    with pytest.raises(DataError, match=r"holds an unfinished phantom of .*Give the same options"):
        write_cvc_clinicdb(tmp_path / "stopped", sequences=2, frames=4, progress=False)
    monkeypatch.setattr(phantom, "take_frame", take)
    quick.clear()
    write_cvc_clinicdb(tmp_path / "stopped", sequences=2, frames=3, progress=False)
    assert quick == [1, 2]
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


def test_a_folder_that_holds_something_is_left_alone(tmp_path, quick):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="holds something already; nothing was changed"):
        write_cvc_clinicdb(tmp_path, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(("name", "value"), [("sequences", 0), ("frames", 0), ("seed", -1)])
def test_counts_out_of_their_range(tmp_path, name, value):
    with pytest.raises(ValueError, match=rf"{name}: {value}, wanted"):
        write_cvc_clinicdb(tmp_path, **{name: value})
