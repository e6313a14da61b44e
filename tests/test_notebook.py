"""The notebook runs from top to bottom on a phantom and draws its pictures; it is committed without outputs.

Outputs would bring a patient's picture into the repository the first time that somebody runs it on real data.
"""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

nbformat = pytest.importorskip("nbformat", reason="notebooks are run by nbclient: pip install 'monai_gi[dev]'")
NOTEBOOK = Path(__file__).parent.parent / "docs" / "notebooks" / "visualise.ipynb"


@pytest.fixture
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def code_of(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_it_is_committed_without_outputs_and_without_a_machines_paths(notebook):
    nbformat.validate(notebook)
    assert [cell.id for cell in code_of(notebook) if cell.outputs or cell.execution_count] == []
    assert not re.search(r"/(?:home|Users|root|work|tmp)/\w", NOTEBOOK.read_text())


def test_its_picture_lies_beside_it(notebook):
    (name,) = re.findall(r"!\[[^]]*\]\(([^)]*)\)", "\n".join(cell.source for cell in notebook.cells))
    with Image.open(NOTEBOOK.with_name(name)) as picture:
        assert picture.width >= 1000
    assert NOTEBOOK.with_name(name).stat().st_size < 400_000


def pictures_of(cell) -> list[np.ndarray]:
    found = [output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB")) for text in found]


def said_by(cell) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)


@pytest.mark.slow
def test_it_runs_on_a_phantom_and_draws_what_it_says(notebook, tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    from monai_gi.datasets.phantom.uw_madison import write_uw_madison

    write_uw_madison(tmp_path / "data", cases=2, days=1, slices=8, seed=3, progress=False)
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    parameters.source += f"\nDATA, SLICE_SPACING_MM, STEPS = {str(tmp_path / 'data')!r}, 30.0, 2"
    done = nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    cells = code_of(done)
    looking = [cell for cell in cells if re.search(r"^look\(", cell.source, re.MULTILINE)]
    assert len(looking) == 6
    for cell in looking:
        (picture,) = pictures_of(cell)
        assert min(picture.shape[:2]) > 150
        assert picture.std() > 20  # something is on it
    everything = "\n".join(map(said_by, cells))
    assert "[[0 1 1 1]\n [0 0 1 0]]" in everything
    assert "16 slices of 2 scans and 2 cases: 8 to train on, 8 to judge on" in everything
    assert re.search(r"loss \d\.\d\d at first, \d\.\d\d in the end", everything)
    assert "Warning" not in everything
