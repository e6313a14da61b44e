"""StackSlicesd on drawn scans: ends, gaps, offsets, and the images that LoadImaged makes of it."""

import pytest
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged

from monai_gi import slices
from monai_gi.errors import DataError
from monai_gi.readers import SliceReader
from monai_gi.transforms import StackSlicesd
from tests.drawn_slices import draw_slice, write_scan


def numbers_of(paths: list[str]) -> list[int]:
    return [slices.parse_slice_name(path.rsplit("/", 1)[-1]).number for path in paths]


def stack(path: str, **options: object) -> list[int]:
    item = StackSlicesd("image", **options)({"image": path, "id": "x"})
    assert item["id"] == "x"
    assert item["image"][0].rsplit("/", 1)[0] == str(path).rsplit("/", 1)[0]
    return numbers_of(item["image"])


def test_neighbours_two_steps_away_and_repeated_ends(tmp_path):
    paths = write_scan(tmp_path, list(range(1, 8)))
    assert [stack(path) for path in paths] == [
        [1, 1, 3], [1, 2, 4], [1, 3, 5], [2, 4, 6], [3, 5, 7], [4, 6, 7], [5, 7, 7],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("offsets", "expected"), [((-1, 0, 1), [3, 4, 5]), ((0,), [4]), ([3, -3], [7, 1]), ((-9, 0, 0, 9), [1, 4, 4, 7])]
)
def test_offsets_order_the_channels(tmp_path, offsets, expected):
    paths = write_scan(tmp_path, list(range(1, 8)))
    assert stack(paths[3], offsets=offsets) == expected


def test_gaps_give_their_nearer_edge(tmp_path):
    paths = write_scan(tmp_path, [4, 5, 6, 10, 11])
    assert stack(paths[2]) == [4, 6, 6]  # 8 is as near to 6 as to 10: the slice's own side
    assert stack(paths[3]) == [10, 10, 11]
    assert stack(paths[1], offsets=(0, 4)) == [5, 10]


def test_stacks_do_not_reach_into_other_scans(tmp_path):
    first = write_scan(tmp_path / "case1_day0" / "scans", [1, 2, 3])
    second = write_scan(tmp_path / "case1_day1" / "scans", [3, 4, 5])
    assert stack(first[2]) == [1, 3, 3]
    assert stack(second[0]) == [3, 3, 5]


def test_folder_is_listed_once(tmp_path, monkeypatch):
    paths = write_scan(tmp_path, [1, 2, 3])
    listings = []
    listed = slices.os.scandir
    monkeypatch.setattr(slices.os, "scandir", lambda folder: listings.append(folder) or listed(folder))
    for path in paths * 3:
        stack(path)
    assert len(listings) == 1


@pytest.mark.parametrize("offsets", [(-2, 0, 2), (1, 0), (0,)])
def test_loaded_stack_is_channel_first(tmp_path, offsets):
    paths = write_scan(tmp_path, [1, 2, 3, 4, 5])
    load = Compose(
        [
            StackSlicesd("image", offsets=offsets),
            LoadImaged("image", reader=SliceReader(always_stack=True)),
            EnsureChannelFirstd("image", channel_dim=-1),
        ]
    )
    image = load({"image": paths[2]})["image"]
    assert image.shape == (len(offsets), 5, 7)
    for channel, offset in enumerate(offsets):
        assert image[channel].tolist() == draw_slice(3 + offset).tolist()


def test_missing_key_passes_where_allowed(tmp_path):
    assert StackSlicesd("image", allow_missing_keys=True)({"id": 1}) == {"id": 1}


@pytest.mark.parametrize("missing", [2, 9])
def test_absent_slice_is_an_error(tmp_path, missing):
    paths = write_scan(tmp_path, [1, 3])
    with pytest.raises(DataError, match=f"slice_000{missing}.*: no such file in its folder"):
        stack(paths[0].replace("slice_0001", f"slice_000{missing}"))


def test_slice_under_another_size_is_absent(tmp_path):
    (path,) = write_scan(tmp_path, [1])
    with pytest.raises(DataError, match="no such file"):
        stack(path.replace("_7_5_", "_5_7_"))


def test_other_names_have_no_neighbours(tmp_path):
    with pytest.raises(DataError, match=r"frame.png: not named like slice_0001"):
        stack(str(tmp_path / "frame.png"))


def test_whole_scans_and_loaded_images_are_errors(tmp_path):
    with pytest.raises(TypeError, match="image: list, wanted the path of one slice"):
        StackSlicesd("image")({"image": write_scan(tmp_path, [1, 2])})


def test_no_offsets_are_an_error():
    with pytest.raises(ValueError, match="offsets: empty"):
        StackSlicesd("image", offsets=[])
