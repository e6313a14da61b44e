"""What a command does without the options that have a default: where it writes, and which weights it takes."""

import re
import shlex
from pathlib import Path

import pytest

from monai_gi import arguments
from monai_gi.cli import main

JOBS = {
    "datasets.datalist.write_index": ("index uw-madison d", "d/datalist.json"),
    "slide_indexing.index_biopsy": ("index biopsy d --colors c.yaml", "d/datalist.json"),
    "datasets.cvc_clinicdb.write_index": ("index cvc-clinicdb d", "d/datalist.json"),
}


def written_by(monkeypatch, job, words):
    """The file that an index which is not made would go to."""
    seen = []
    monkeypatch.setattr(f"monai_gi.{job}", lambda root, output, **_: seen.append(output) or "the table")
    assert main(shlex.split(words)) == 0
    return seen[0]


@pytest.mark.parametrize("job", JOBS)
def test_an_index_goes_where_training_looks_for_it(job, monkeypatch, capsys):
    words, output = JOBS[job]
    assert written_by(monkeypatch, job, words) == Path(output)
    assert capsys.readouterr().out == f"the table\n{output}: written\n"
    assert written_by(monkeypatch, job, f"{words} --output other.json") == Path("other.json")
    assert capsys.readouterr().out.endswith("other.json: written\n")


@pytest.mark.parametrize("protocol", ["random", "pranet-62"])
def test_a_split_that_leaks_is_not_written_where_training_looks(protocol, monkeypatch):
    job = "datasets.cvc_clinicdb.write_index"
    assert written_by(monkeypatch, job, f"index cvc-clinicdb d --protocol {protocol}") == Path(f"d/{protocol}.json")


def test_pixels_of_patients_want_a_place_that_somebody_chose(capsys):
    with pytest.raises(SystemExit):
        main(["index", "dicom", "d"])
    assert "--output" in capsys.readouterr().err


def test_predictions_go_beside_the_current_folder():
    assert arguments.parser().parse_args(["predict", "b", "in"]).output == Path("contours")


@pytest.mark.parametrize(
    ("words", "default"),
    [
        ("index uw-madison", "DATASET_DIR/datalist.json"),
        ("index cvc-clinicdb", "DIR/datalist.json"),
        ("index biopsy", "DIR/datalist.json"),
        ("predict", "default contours"),
        ("predict", "default runs/NAME/model.pt"),
        ("compare-bundles", "default runs/comparison"),
    ],
)
def test_the_help_tells_the_default(words, default, capsys):
    with pytest.raises(SystemExit):
        main([*words.split(), "--help"])
    assert default in re.sub(r"\s+", " ", capsys.readouterr().out)
