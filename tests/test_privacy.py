"""Texts that must stay at home, and texts that look like them."""

import pytest

from monai_gi import arguments
from monai_gi.sharing.privacy import MAX_FILE_BYTES, folder_findings, text_findings


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('"dataset_dir": "/home/ann/data"', "/home/ann/data"),
        ('"dataset_dir": "/data"', "/data"),
        ("see `/proj/mri/set-1/x.nii.gz`.", "/proj/mri/set-1/x.nii.gz"),
        ("--weights=/mnt/a/model.pt", "/mnt/a/model.pt"),
        ('"C:\\\\Users\\\\ann"', "C:\\\\Users\\\\ann"),
        ("D:/scans/ann", "D:/scans/ann"),
        ("\\\\server\\share\\x", "\\\\server\\share\\x"),
        ("file:///srv/x", "file:///srv/x"),
        ("in ~/scans/a", "~/scans/a"),
        ("~ann/scans", "~ann/scans"),
        ("case12", "case12"),
        ("slice of Case_12_Day-3_slice_0012", "Case_12_Day-3_slice_0012"),
        ("PatientID: 0815", "PatientID: 0815"),
        ('"PatientName": "X"', 'PatientName": "X'),
        ("patient's birth date = 1.4.1950", "patient's birth date = 1.4.1950"),
        ("Müller^Änne", "Müller^Änne"),
        ("uid 1.3.6.1.4.1.14519.5.2.1", "1.3.6.1.4.1.14519.5.2.1"),
    ],
)
def test_what_must_stay_is_found_with_its_line(text, found):
    findings = text_findings("configs/a.json", f"first\n{text}\n")
    assert [finding.where for finding in findings] == ["configs/a.json:2"], findings
    assert findings[0].problem.startswith(f"'{found}' is ")
    assert text_findings("configs/a.json", text, allow=[found]) == []


@pytest.mark.parametrize(
    "text",
    [
        "https://project-monai.github.io/schema/meta_schema_20240725.json",
        "and/or, 3/4, w/o, image/label",
        "configs/train.json, ./models/model.pt, ../shared",
        "$os.path.join(os.path.expanduser('~'), '.cache', 'monai_gi')",
        "versions 5.23.0 and 1.2.3.4",
        "in this case 12 of them; the worst case; showcase12",
        "the patient's name is never written; patient ID",
        "2^n, x^2",
        "--device cuda:1",
    ],
)
def test_what_only_looks_like_it_passes(text):
    assert text_findings("a", text) == []


def test_each_text_is_named_once_a_file():
    assert len(text_findings("a", "case1 case1\ncase2 case1")) == 2


def test_names_of_files_and_their_sizes_are_looked_at(tmp_path):
    (tmp_path / "case3_day1.txt").write_text("abcd")
    found = [str(finding) for finding in folder_findings(tmp_path, max_bytes=3)]
    assert found[0].startswith("name case3_day1.txt:1: 'case3_day1' is a case identifier")
    repair = "Take it out or raise --max-megabytes"
    assert found[1] == f"case3_day1.txt: 4e-06 MB, at most 3e-06 MB a file may leave. {repair}"
    options = arguments.parser().parse_args(["pack", "bundle", "--weights", "model.pt", "--output", "bundle.zip"])
    assert options.max_megabytes * 1e6 == MAX_FILE_BYTES
