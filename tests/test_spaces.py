"""spaces/ against the package: its header, its pinned requirements, its lines (test_app_browser_kinds visits it)."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from monai_gi.errors import DataError
from tests.pinned_requirements import pinned_requirements, pins

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "spaces"
README = (FOLDER / "README.md").read_text()
HEADER = yaml.safe_load(README.split("---\n")[1])
EXTRAS = ("app", "dicom", "sharing", "wsi")
COPIES = [shlex.split(line) for line in re.findall(r"^ +(cp .*)$", README, re.MULTILINE)]


def test_the_header_says_what_a_space_needs_at_the_versions_that_are_tested():
    python = HEADER["python_version"]
    assert HEADER["sdk"] == "gradio"
    assert HEADER["sdk_version"] == pins(python)["gradio"]
    assert python in ("3.10", "3.11", "3.12")
    assert (FOLDER / HEADER["app_file"]).is_file()
    assert HEADER["license"] == "apache-2.0"
    # https://huggingface.co/docs/hub/spaces-config-reference
    assert len(HEADER["short_description"]) <= 60
    assert "Research use only" in HEADER["short_description"]
    colors = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {HEADER["colorFrom"], HEADER["colorTo"]} <= colors


def test_the_requirements_are_the_package_s_own_pinned():
    lines = (FOLDER / "requirements.txt").read_text().splitlines()
    wanted = [one for one in pinned_requirements(EXTRAS, HEADER["python_version"]) if not one.startswith("gradio==")]
    assert [line for line in lines if not line.startswith(("#", "--"))] == wanted
    assert [line for line in lines if line.startswith("--")] == [
        "--extra-index-url https://download.pytorch.org/whl/cpu"
    ]
    assert ", ".join(EXTRAS[:-1]) + f" and {EXTRAS[-1]}" in lines[0]


@pytest.fixture(scope="module")
def app():
    """spaces/app.py as a module, which serves nothing while it is imported."""
    spec = importlib.util.spec_from_file_location("app_of_the_space", FOLDER / "app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_space_asks_for_the_app_that_its_settings_describe(app, tmp_path, monkeypatch):
    asked = app.request_of({"MONAI_GI_APP_AUTH": "reader:secret"})
    assert (asked.bundle, asked.host, asked.port, asked.credentials) == (None, "0.0.0.0", 7860, ("reader", "secret"))
    monkeypatch.setattr(app, "BUNDLE", tmp_path / COPIES[1][-1].split("/")[-1])
    (tmp_path / "bundle.zip").touch()
    settings = {"GRADIO_SERVER_PORT": "7000", "SPACE_HOST": "you-name.hf.space"}
    asked = app.request_of({"MONAI_GI_APP_AUTH": "reader:secret", **settings})
    assert (asked.bundle, asked.port, asked.public_host) == (tmp_path / "bundle.zip", 7000, "you-name.hf.space")
    with pytest.raises(DataError, match="wanted a name and a password"):
        app.request_of({"MONAI_GI_APP_AUTH": "secret"})
    for environment in ({}, {"MONAI_GI_APP_AUTH": ""}):
        with pytest.raises(DataError, match="MONAI_GI_APP_AUTH: this secret is not set"):
            app.request_of(environment)


def filled_space(here: Path) -> Path:
    """The folder of a Space after the lines of its README; the packed bundle, made elsewhere, is left out."""
    (here / "space").mkdir()
    subprocess.run([*COPIES[0][:-1], str(here / COPIES[0][-1])], cwd=ROOT, check=True)
    return here / "space"


@pytest.mark.slow
def test_the_files_that_the_readme_copies_start_and_ask_for_the_secret(tmp_path):
    assert COPIES[0][:2] == ["cp", "-r"]
    space = filled_space(tmp_path)
    assert {path.name for path in space.iterdir()} >= {"README.md", "app.py", "requirements.txt", "monai_gi", "LICENSE"}
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MONAI_GI_APP_AUTH"))
    }
    words = [sys.executable, str(space / HEADER["app_file"])]
    refused = subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: MONAI_GI_APP_AUTH: this secret is not set")
    assert "Traceback" not in refused.stderr
