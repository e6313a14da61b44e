"""One file a slide, where scanners write several."""

import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian

from monai_gi.slides import files_of, slide_files


@pytest.fixture
def listed(tmp_path):
    """Names of what is chosen from the files of a folder and those below it."""
    return lambda: [str(file.relative_to(tmp_path)) for file in slide_files(tmp_path.rglob("*"))]


def write(folder, *names, content=b"x"):
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)


def write_dicom(path, series):
    header = pydicom.Dataset()
    header.SeriesInstanceUID = series
    header.file_meta = pydicom.dataset.FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.6"
    header.file_meta.MediaStorageSOPInstanceUID = f"{series}.{len(path.name)}"
    header.save_as(path, enforce_file_format=True)


def test_a_dicom_series_is_one_slide_and_what_is_none_stays(tmp_path, listed):
    for name, series in (("b.dcm", "1.2.3"), ("a.dcm", "1.2.3"), ("c.DCM", "1.2.4")):
        write_dicom(tmp_path / name, series)
    write(tmp_path, "other/x.dcm", "z.dcm", "zz.dcm")
    write_dicom(tmp_path / "other" / "a.dcm", "1.2.3")
    assert listed() == ["a.dcm", "c.DCM", "other/a.dcm", "other/x.dcm", "z.dcm", "zz.dcm"]


def test_pictures_that_an_index_names_are_parts_of_it(tmp_path, listed):
    lines = [b"[Virtual Microscope Specimen]", b"ImageFile=s.jpg", b"ImageFile(1,0)=s(1,0).jpg", b"MacroImage = m.jpg"]
    write(tmp_path, "s.vms", content=b"\r\n".join(lines))
    write(tmp_path, "s.jpg", "s(1,0).jpg", "m.jpg", "own.jpg")
    assert listed() == ["own.jpg", "s.vms"]


def test_only_an_mrxs_has_a_folder_of_its_name(tmp_path, listed):
    write(tmp_path, "a.mrxs", "a/Data.dat", "a/shown.jpg", "b.png", "b/piece.png", ".hidden.png", "notes.txt")
    assert listed() == ["a.mrxs", "b/piece.png", "b.png"]


def test_the_files_of_a_slide_are_those_of_its_series_of_its_index_or_of_its_folder(tmp_path):
    for name, series in (("b.dcm", "1.2.3"), ("a.dcm", "1.2.3"), ("c.dcm", "1.2.4")):
        write_dicom(tmp_path / name, series)
    (tmp_path / "s.vms").write_text("ImageFile=s.jpg\nMapFile=../above.jpg\nOptimisationFile=gone.opt\nNoLayers=1\n")
    write(tmp_path, "s.jpg", "own.jpg", "../above.jpg", "m.mrxs", "m/Data.dat", "x.svs", "x/Data.dat")

    def names(name):
        return [str(file.relative_to(tmp_path)) for file in files_of(tmp_path / name)]

    assert names("b.dcm") == ["b.dcm", "a.dcm"]
    assert names("s.vms") == ["s.vms", "s.jpg"]
    assert names("m.mrxs") == ["m.mrxs", "m/Data.dat"]
    assert names("x.svs") == ["x.svs"]
