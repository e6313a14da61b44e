"""SliceReader in MONAI's LoadImaged, checked against Pillow, by hand, and through nibabel."""

import itertools
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import (
    EnsureChannelFirst,
    EnsureChannelFirstd,
    LoadImage,
    LoadImaged,
    Orientation,
    SaveImage,
    Spacing,
)
from PIL import Image

from monai_gi import slices
from monai_gi.errors import DataError
from monai_gi.readers import SliceReader, slice_affine
from tests.drawn_slices import draw_slice, write_scan, write_slice


def load(paths: str | Path | list, dtype: object = np.float32, **options: object) -> MetaTensor:
    return LoadImage(reader=SliceReader(**options), dtype=dtype)(paths)


def test_one_path_gives_rows_and_columns_as_stored(tmp_path):
    image = load(write_slice(tmp_path, 3, draw_slice(3)))
    assert image.shape == (5, 7)
    assert image[4, 6] == 30406
    assert torch.equal(image.as_tensor(), torch.from_numpy(draw_slice(3).astype(np.float32)))


def test_list_gives_slices_on_the_last_axis_in_its_order(tmp_path):
    image = load(write_scan(tmp_path, [1, 2, 5]))
    assert image.shape == (5, 7, 3)
    assert image[2, 3].tolist() == [10203, 20203, 50203]


def test_all_16_bit_values_pass_through_float32_exactly(tmp_path):
    values = np.arange(65536, dtype=np.uint16).reshape(128, 512)
    path = write_slice(tmp_path, 1, values)
    assert torch.equal(load(path).as_tensor(), torch.from_numpy(values.astype(np.float32)))
    assert np.array_equal(load(path, dtype=None).numpy(), values)
    pixels, _ = SliceReader().get_data([path])
    assert pixels.dtype == np.uint16


def test_list_of_one_path_is_one_slice_unless_always_stacked(tmp_path):
    paths = write_scan(tmp_path, [1])
    assert load(paths).shape == (5, 7)
    assert load(paths, always_stack=True).shape == (5, 7, 1)
    assert load(paths[0], always_stack=True).shape == (5, 7, 1)


def test_channel_first_makes_a_scan_and_a_stack(tmp_path):
    loaded = LoadImaged(keys="image", reader=SliceReader())({"image": write_scan(tmp_path, [1, 2, 3])})
    assert EnsureChannelFirstd(keys="image")(loaded)["image"].shape == (1, 5, 7, 3)
    loaded = LoadImaged(keys="image", reader=SliceReader())({"image": write_scan(tmp_path, [1, 2, 3])})
    assert EnsureChannelFirstd(keys="image", channel_dim=-1)(loaded)["image"].shape == (3, 5, 7)


def test_affine_holds_spacing_and_directions_in_ras(tmp_path):
    affine = load(write_scan(tmp_path, [1, 2, 3])).affine.numpy()
    down, right, next_slice = affine[:3, 0], affine[:3, 1], affine[:3, 2]
    assert down.tolist() == [0, -1.5, 0]  # to posterior
    assert right.tolist() == [-2.25, 0, 0]  # to the patient's left
    assert next_slice.tolist() == [0, 0, -3]  # to the feet
    assert affine[:, 3].tolist() == [0, 0, 0, 1]


def test_slice_spacing_is_an_argument_and_counts_steps_of_the_numbers(tmp_path):
    write_scan(tmp_path, list(range(1, 10)))
    by_number = {int(path.name[6:10]): str(path) for path in tmp_path.iterdir()}

    def spacing(*numbers: int) -> float:
        return load([by_number[number] for number in numbers], slice_spacing_mm=2.5).affine[2, 2].item()

    assert spacing(1, 2, 3) == -2.5
    assert spacing(1, 3, 5) == -5
    assert spacing(3, 2, 1) == 2.5
    assert spacing(1, 1, 3) == -2.5  # a stack at the end of its scan
    assert spacing(1, 1, 1) == -2.5
    assert spacing(4, 5, 9) == -2.5  # a gap has no affine


def test_names_of_another_kind_get_pixels_of_one_millimetre(tmp_path):
    path = tmp_path / "frame.png"
    Image.fromarray(draw_slice(1)).save(path)
    assert np.array_equal(load(path).affine.numpy(), slice_affine((1, 1, 3)))


def test_metadata_serves_monai(tmp_path):
    meta = load(write_scan(tmp_path, [1, 2])).meta
    assert meta["spatial_shape"].tolist() == [5, 7, 2]
    assert meta["space"] == "RAS"
    assert meta["filename_or_obj"].endswith("slice_0001_7_5_2.25_1.50.png")
    assert np.array_equal(meta["original_affine"], meta["affine"].numpy())


def test_image_only_false_hands_out_the_same_metadata(tmp_path):
    load_both = LoadImaged(keys="image", reader=SliceReader(), image_only=False)
    item = load_both({"image": str(write_slice(tmp_path, 1, draw_slice(1)))})
    assert item["image_meta_dict"]["spatial_shape"].tolist() == [5, 7]


def test_nifti_written_by_monai_has_the_affine_and_the_values(tmp_path):
    paths = write_scan(tmp_path / "scans", [1, 2, 3, 4])
    image = EnsureChannelFirst()(load(paths))
    save = SaveImage(output_dir=tmp_path, output_postfix="", separate_folder=False, print_log=False, output_dtype=float)
    save(image)
    (written,) = tmp_path.glob("*.nii.gz")
    nifti = nibabel.load(written)
    assert np.array_equal(nifti.affine, slice_affine((1.5, 2.25, 3)))
    assert nibabel.aff2axcodes(nifti.affine) == ("P", "L", "I")
    assert nifti.header.get_zooms() == (1.5, 2.25, 3)
    assert np.array_equal(nifti.get_fdata(), np.stack([draw_slice(number) for number in range(1, 5)], axis=-1))


def test_orientation_and_spacing_of_monai_understand_the_affine(tmp_path):
    scan = EnsureChannelFirst()(load(write_scan(tmp_path, [1, 2, 3])))
    ras = Orientation(axcodes="RAS", labels=None)(scan)
    assert ras.shape == (1, 7, 5, 3)
    # right, anterior, superior: last column, last row, last slice come first
    assert ras[0, 0, 0, 0] == 30406
    assert Spacing(pixdim=(3.0, 4.5, 3.0), mode="nearest")(scan).shape == (1, 3, 4, 3)


def test_damaged_file_is_the_one_error_and_no_other_reader_tries(tmp_path):
    path = write_slice(tmp_path, 1, draw_slice(1))
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match=r"slice_0001_7_5_2.25_1.50.png: can not be read as a PNG"):
        load(path)


def test_missing_file_is_the_one_error(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        load(tmp_path / "slice_0001_7_5_2.25_1.50.png")


def test_sizes_in_a_list_agree(tmp_path):
    paths = [*write_scan(tmp_path, [1]), write_slice(tmp_path, 2, draw_slice(2, (7, 5)))]
    with pytest.raises(DataError, match=r"slice_0002.*5 x 7 \(W x H\), but 7 x 5"):
        load(paths)


def test_spacings_in_a_list_agree(tmp_path):
    paths = [*write_scan(tmp_path, [1]), write_slice(tmp_path, 2, draw_slice(2), spacing_mm=(1.63, 1.63))]
    with pytest.raises(DataError, match=r"slice_0002.*pixels of \(1.63, 1.63\) mm by its name, but \(1.5, 2.25\)"):
        load(paths)


def test_threads_are_handed_on(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "monai_gi.readers.slices.read_slices", lambda p, threads: seen.append(threads) or [draw_slice(1)] * 2
    )
    load(write_scan(tmp_path, [1, 2]), threads=7)
    assert seen == [7]
    assert SliceReader().threads == slices.THREADS


@pytest.mark.parametrize("option", [{"slice_spacing_mm": 0}, {"slice_spacing_mm": -3.0}, {"threads": 0}])
def test_options_out_of_range_are_errors(option):
    with pytest.raises(ValueError, match=f"{next(iter(option))}: {next(iter(option.values()))}, wanted"):
        SliceReader(**option)


def test_suffix_tells_png_files():
    reader = SliceReader()
    assert reader.verify_suffix("a/slice.PNG")
    assert reader.verify_suffix(["a.png", Path("b.png")])
    assert not reader.verify_suffix(["a.png", "b.nii.gz"])


def test_real_slices_equal_pillow_and_carry_their_spacing(real_data):
    paths = sorted((real_data / "uw_madison").glob("train/*/*/scans/*.png"))
    names = [slices.parse_slice_name(path.name) for path in paths]
    single = [path for path, name in zip(paths, names, strict=True) if path.parent.parent.name != "case102_day0"]
    assert len(single) == 36
    assert {name.size for name in names} >= {(266, 266), (310, 360)}
    for path in single:
        image = load(path)
        assert np.array_equal(image.numpy(), np.asarray(Image.open(path)))
        spacing_mm = slices.parse_slice_name(path.name).spacing_mm
        assert image.pixdim[:2].tolist() == list(spacing_mm)


def test_real_scan_is_read_whole(real_data):
    paths = sorted((real_data / "uw_madison/train/case102/case102_day0/scans").glob("*.png"))
    scan = load(paths)
    assert scan.shape == (310, 360, 144)
    assert scan.pixdim.tolist() == [1.5, 1.5, 3.0]
    for position in (0, 71, 143):
        assert np.array_equal(scan[..., position].numpy(), np.asarray(Image.open(paths[position])))
    assert all(before < after for before, after in itertools.pairwise(paths))
