"""Files that hold more than they weigh are refused by their headers, or piece by piece; nothing is held to find out."""

import gzip
import tracemalloc

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from monai_gi.app import limits
from monai_gi.app.limits import require_inflatable, require_truth_size
from monai_gi.app.truth import read_scan_truth
from monai_gi.app.uploads import Wanted, read_upload
from monai_gi.errors import DataError
from tests.drawn_cases import SIZE, draw_scan, quiet
from tests.drawn_dicom import header, save
from tests.drawn_nifti_files import write_volume
from tests.drawn_structure_files import write_structure_set

ZEROS = 20_000_000


def bomb(path, shape):
    """A NIfTI whose header promises this shape, with so many zeros behind it, in a few kilobytes."""
    start = nib.Nifti1Header()
    start.set_data_shape(shape)
    start.set_data_dtype(np.uint8)
    start.set_sform(draw_scan().affine, 1)
    start["magic"], start["vox_offset"] = b"n+1", 352
    with gzip.open(path, "wb") as file:
        file.write(start.binaryblock + bytes(4) + bytes(ZEROS))
    assert path.stat().st_size < 100_000
    return path


def peak_of(act):
    """Bytes that were held at once; the fault that ends it is returned too."""
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as fault:
            act()
        return tracemalloc.get_traced_memory()[1], str(fault.value)
    finally:
        tracemalloc.stop()


def test_a_truth_beyond_its_scan_is_refused_before_it_is_inflated(tmp_path):
    truth = bomb(tmp_path / "truth.nii.gz", (200, 1000, 100))
    peak, fault = peak_of(lambda: read_scan_truth([truth], draw_scan()))
    assert "truth.nii.gz: holds 200 × 1,000 × 100 voxels, the scan 4 × 6 × 3; give contours of this scan" in fault
    assert peak < ZEROS / 5


def test_a_scan_of_many_volumes_is_refused_before_it_is_inflated(tmp_path):
    bomb(tmp_path / "scan.nii.gz", (20, 100, 10, 1000))
    peak, fault = peak_of(lambda: read_upload(tmp_path, Wanted(max_pixels=100_000), quiet))
    assert "scan: 20 × 100 × 10 × 1000 are 20,000,000 voxels, at most 100,000 are read here" in fault
    assert peak < ZEROS / 5


def test_a_truth_with_the_slices_that_the_scan_lacks_is_taken(tmp_path):
    truth = write_volume(tmp_path / "t.nii.gz", np.ones((4, 6, 6), dtype=np.uint8), draw_scan().affine)
    require_truth_size(truth, draw_scan(slice_numbers=(0, 1, 5)))
    require_truth_size(truth, draw_scan())
    larger = write_volume(tmp_path / "l.nii.gz", np.ones((4, 6, 7), dtype=np.uint8), draw_scan().affine)
    with pytest.raises(DataError, match="holds 4 × 6 × 7 voxels"):
        require_truth_size(larger, draw_scan())


def test_a_picture_beyond_its_slice_is_refused_by_its_header(tmp_path):
    scan = draw_scan("picture")
    scan = type(scan)("scan", scan.voxels[..., :1], scan.affine, np.arange(1), ("scan",), "picture", ())
    Image.fromarray(np.zeros((3000, 3000), dtype=np.uint8)).save(tmp_path / "truth.png")
    with pytest.raises(DataError, match="holds 3,000 × 3,000 voxels, the scan 4 × 6 × 1"):
        read_scan_truth([tmp_path / "truth.png"], scan)


@pytest.mark.parametrize(("frames", "refused"), [(24, False), (25, True), (100_000, True)])
def test_a_segmentation_is_measured_by_the_frames_that_it_names(tmp_path, frames, refused):
    rows, columns, slices = SIZE
    dataset = header(Rows=rows, Columns=columns, NumberOfFrames=frames, SegmentSequence=[Dataset()])
    path = save(dataset, tmp_path / "seg.dcm")
    assert slices * limits._MOST_TIMES["dicom"] == 24
    if not refused:
        require_truth_size(path, draw_scan())
        return
    with pytest.raises(DataError, match=rf"seg.dcm: holds 4 × 6 × {frames:,} voxels, the scan 4 × 6 × 3"):
        require_truth_size(path, draw_scan())


def test_more_structures_than_fit_into_memory_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "_MOST_MASK_BYTES", 2 * np.prod(SIZE))
    rois = {name: [] for name in ("a", "b", "c")}
    path = write_structure_set(tmp_path / "rt.dcm", rois)
    with pytest.raises(DataError, match="holds 3 structures, at most 2 are read on this scan; leave some out"):
        require_truth_size(path, draw_scan())
    del rois["c"]
    require_truth_size(write_structure_set(tmp_path / "rt.dcm", rois), draw_scan())


def test_the_scan_itself_is_no_truth(tmp_path):
    scan = draw_scan()
    scan = type(scan)("scan", np.zeros((30, 40, 1), dtype=np.uint16), scan.affine, np.arange(1), ("scan",), "nifti", ())
    path = write_volume(tmp_path / "scan.nii", np.arange(1200, dtype=np.uint16).reshape(30, 40, 1), scan.affine)
    with pytest.raises(DataError, match="holds 1,200 different numbers, as scans do; an RTSTRUCT, a DICOM SEG"):
        read_scan_truth([path], scan)


def test_deflated_dicom_is_counted_and_not_held(tmp_path):
    dataset = header(PixelData=bytes(ZEROS))
    dataset["PixelData"].VR = "OB"
    path = save(dataset, tmp_path / "deflated.dcm", DeflatedExplicitVRLittleEndian)
    assert path.stat().st_size < ZEROS / 100
    peak, fault = peak_of(lambda: require_inflatable([path], 10_000_000))
    assert "deflated.dcm: inflates to more than 10 MB, the most that is taken" in fault
    assert peak < ZEROS / 5
    require_inflatable([path], ZEROS + 10_000)


def test_what_is_not_deflated_passes(tmp_path):
    plain = save(header(), tmp_path / "plain.dcm")
    (tmp_path / "noise").write_bytes(b"\x02\x00\x10\x00UI" + bytes(range(256)))
    (tmp_path / "letter.txt").write_text("Dear colleague")
    damaged = save(header(), tmp_path / "damaged.dcm", DeflatedExplicitVRLittleEndian)
    damaged.write_bytes(damaged.read_bytes()[:-40] + b"\xff" * 40)
    require_inflatable([plain, tmp_path / "noise", tmp_path / "letter.txt"], 1)
    require_inflatable([damaged], 10_000)
