"""docker/ held against the repository: no engine is at hand, so files are parsed and pip's steps run outside of it."""

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import yaml

import monai_gi
from monai_gi.app.request import AUTH_VARIABLE, AppRequest, auth_of
from monai_gi.arguments import parser
from monai_gi.errors import DataError
from tests.docker_reading import copies, exec_form, is_ignored, read_dockerfile, read_dockerignore, substitute

ROOT = Path(__file__).parent.parent
STEPS = read_dockerfile((ROOT / "docker/Dockerfile").read_text())
LAST = STEPS[-1].stage
IGNORED = read_dockerignore((ROOT / ".dockerignore").read_text())
COMPOSE = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())
CUDA = yaml.safe_load((ROOT / "docker/compose.cuda.yaml").read_text())
README = (ROOT / "docker/README.md").read_text()
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")


def texts(name: str, stage: int = LAST) -> list[str]:
    return [step.text for step in STEPS if step.name == name and step.stage == stage]


def arguments() -> dict[str, str]:
    """Every ARG with its default."""
    return dict(step.text.split("=", 1) for step in STEPS if step.name == "ARG")


def verbs() -> set[str]:
    actions = [action for action in parser()._actions if action.choices]
    return set(actions[0].choices)


def commands() -> list[list[str]]:
    """What the image, its health check and the services start, and the README's lines of `monai-gi`."""
    started = [exec_form(text) for name in ("CMD", "HEALTHCHECK") for text in texts(name)]
    started += [[substitute(word, {}) for word in service["command"]] for service in COMPOSE["services"].values()]
    code = "\n".join(line for line in README.splitlines() if line.startswith("    "))
    return started + [["monai-gi", *words.split()] for words in re.findall(r"\bmonai-gi (.*)", code)]


def test_every_copied_path_is_in_the_repository_and_reaches_the_builder():
    sources = [source for stage in range(LAST + 1) for words, _ in copies(STEPS, stage) for source in words]
    assert {"constraints.txt", "setup.cfg", "pyproject.toml", "monai_gi", "bundles"} <= set(sources)
    for source in sources:
        files = [path for path in [ROOT / source, *(ROOT / source).rglob("*")] if path.is_file()]
        kept = [path for path in files if not is_ignored(path.relative_to(ROOT).as_posix(), IGNORED)]
        assert kept, source
        left_out = {path.relative_to(ROOT).as_posix() for path in files} - {
            path.relative_to(ROOT).as_posix() for path in kept
        }
        assert all("__pycache__" in path or path.endswith((".pt", ".ts")) for path in left_out)


def test_nothing_else_reaches_the_builder():
    assert is_ignored("data/train.csv", IGNORED)
    for path in (
        ".git/config",
        "tests/test_docker.py",
        "runs/model.pt",
        "demo/x.png",
        "scan.dcm",
        "bundles/a/model.pt",
    ):
        assert is_ignored(path, IGNORED)
    top = {path.name for path in ROOT.iterdir() if not is_ignored(path.name, IGNORED)}
    assert top == {"LICENSE", "README.md", "bundles", "constraints.txt", "monai_gi", "pyproject.toml", "setup.cfg"}


@pytest.mark.parametrize(
    ("path", "patterns", "ignored"),
    [
        ("a/b.py", ["*"], True),
        ("a/b.py", ["*", "!a"], False),
        ("a/b.py", ["*", "!a", "**/*.py"], True),
        ("b.py", ["**/*.py"], True),
        ("a/b.py", ["*.py"], False),
        ("a/b/c", ["a/b"], True),
        ("ab/c", ["a"], False),
        ("a/b/c", ["a/*/c", "!a/b/c"], False),
        ("a/bc", ["a/?"], False),
        ("a/.cache/x", ["**/.*"], True),
    ],
)
def test_ignoring_follows_the_rules_of_docker(path, patterns, ignored):
    assert is_ignored(path, patterns) is ignored


def test_the_base_is_pinned_and_its_python_is_one_that_the_package_supports():
    base = arguments()["BASE"]
    found = re.fullmatch(r"python:(3)\.(\d+)\.\d+-slim-\w+", base)
    assert found
    assert 10 <= int(found[2]) < 13
    assert f"Python 3.{found[2]}," in README
    assert SETUP["options"]["python_requires"] == ">=3.10, <3.13"
    assert {substitute(text, {"BASE": "b"}) for stage in range(LAST + 1) for text in texts("FROM", stage)} == {
        "b AS build",
        "b",
    }


def test_nothing_is_called_latest():
    images = [part["image"] for part in (*COMPOSE["services"].values(), *CUDA["services"].values())]
    assert all(re.fullmatch(r"[\w/]+:[\w.-]+", image) for image in images)
    for text in ((ROOT / "docker/Dockerfile").read_text(), README, *images):
        assert "latest" not in text
        tags = re.findall(r"monai_gi:([\w.]+)", text)
        assert set(tags) == ({monai_gi.__version__} if tags else set())


def test_the_image_runs_without_root_to_the_end():
    assert texts("USER") == ["monai"]
    places = [step.name for step in STEPS if step.stage == LAST]
    # Whoever runs, copies or adds after USER would do it in the user's name; nothing does.
    assert set(places[places.index("USER") + 1 :]) <= {"VOLUME", "HEALTHCHECK", "CMD"}
    assert "useradd" in texts("RUN")[0]
    assert arguments()["UID"] == "1000"
    for service in COMPOSE["services"].values():
        assert "user" not in service
        assert "privileged" not in service
        assert service["cap_drop"] == ["ALL"]


def test_every_installed_version_is_pinned_by_the_constraints():
    installs = [text for text in texts("RUN", 0) if "pip install" in text]
    assert len(installs) == 4
    for text in installs:
        # The package alone, once its dependencies are there.
        assert "-c constraints.txt" in text or text.endswith("--no-deps --no-build-isolation --force-reinstall .")
        assert "--no-build-isolation" in text or not re.search(r"\s\"?\.", text)
    pinned = {line.split("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    assert {"torch", "setuptools", "monai"} <= pinned
    assert not any("pip install" in text for text in texts("RUN"))


def test_the_extras_are_those_of_the_package_and_cuda_is_a_build_argument():
    extras = SETUP["options.extras_require"]
    assert all(name in extras for name in arguments()["EXTRAS"].split(","))
    options = arguments()["TORCH_OPTIONS"].strip('"')
    assert options.endswith("/cpu")
    assert substitute(COMPOSE["services"]["train"]["build"]["args"]["TORCH_OPTIONS"], {}) == options
    assert CUDA["services"]["train"]["build"]["args"]["TORCH_OPTIONS"] == ""
    assert "--build-arg TORCH_OPTIONS= " in README


def test_services_are_those_promised_and_their_folders_are_the_users():
    assert set(COMPOSE["services"]) == {"train", "tensorboard", "app"}
    assert set(CUDA["services"]) <= set(COMPOSE["services"])
    owned = re.search(r"install --directory --owner monai --group monai (.*)", texts("RUN")[0])
    assert owned
    targets = set()
    for service in COMPOSE["services"].values():
        build = service["build"]
        assert (ROOT / "docker" / build["context"] / build["dockerfile"]).resolve() == ROOT / "docker/Dockerfile"
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        for volume in service["volumes"]:
            long = isinstance(volume, dict)
            targets.add(volume["target"] if long else substitute(volume, {}).split(":")[1])
            source = substitute(volume["source"] if long else volume, {}).split(":")[0]
            assert source in COMPOSE["volumes"] or source.startswith("..")
    assert targets == set(owned[1].split())
    assert "data" not in exec_form(texts("VOLUME")[0])
    assert COMPOSE["services"]["train"]["volumes"][0]["read_only"]


def test_every_command_is_one_that_the_image_has():
    scripts = {point.name for point in entry_points(group="console_scripts")}
    for words in commands():
        if words[0] == "monai-gi":
            assert words[1] in verbs() | {"--version", "--help"}, words
            if words[1] in verbs():
                assert parser().parse_args(words[1:]), "argparse leaves with what is wrong"
        elif words[:3] == ["python", "-m", "monai.bundle"]:
            check_bundle_run(words[3:])
        else:
            assert words[0] in scripts


def check_bundle_run(words: Sequence[str]) -> None:
    options = dict(zip(words[2::2], words[3::2], strict=True))
    config = ROOT / options.pop("--config_file")
    assert any(config.is_relative_to(ROOT / source) for sources, _ in copies(STEPS, LAST) for source in sources)
    content = json.loads(config.read_text())
    assert words[0] == "run"
    assert words[1] in content
    assert {name.removeprefix("--") for name in options} <= set(content)


def test_the_app_wants_a_password_and_keeps_images_in_memory_only():
    service = COMPOSE["services"]["app"]
    words = dict(zip(service["command"][2::2], service["command"][3::2], strict=True))
    assert service["command"][:2] == ["monai-gi", "app"]
    given = service["environment"][AUTH_VARIABLE]
    assert auth_of({AUTH_VARIABLE: substitute(given, {AUTH_VARIABLE: "name:password"})}) == "name:password"
    with pytest.raises(DataError, match="lets other machines in, which needs a password"):
        AppRequest(host=words["--host"], auth=auth_of({AUTH_VARIABLE: substitute(given, {})}))
    assert service["read_only"] is True
    assert [place.split(":")[0] for place in service["tmpfs"]] == ["/tmp"]
    assert all(volume.endswith(":ro") for volume in service["volumes"])
    # Started by its name only, at the port where the app listens unless told.
    assert service["profiles"] == ["app"]
    assert service["ports"] == [f"127.0.0.1:{AppRequest.port}:{AppRequest.port}"]
    assert f"http://127.0.0.1:{AppRequest.port}'" in service["healthcheck"]["test"][-1]
    assert f"http://127.0.0.1:{AppRequest.port}\n" in README


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A clean environment after the first stage's steps, dependencies only resolved; and what /app holds."""
    root = tmp_path_factory.mktemp("image")
    target, build = root / "opt/monai_gi", root / "build"
    for step in (step for step in STEPS if step.stage == 0):
        if step.name == "COPY":
            copy(step.text.split(), build)
        elif step.name == "RUN":
            text = substitute(step.text, arguments() | {"TORCH_OPTIONS": ""}).replace("/opt/monai_gi", str(target))
            resolve_only = "--force-reinstall" not in text and not text.endswith("setuptools")
            result = subprocess.run(
                ["sh", "-ec", text.replace("python ", f"{sys.executable} ", 1)],
                cwd=build if build.exists() else root,
                env=clean(target) | ({"PIP_DRY_RUN": "1"} if resolve_only and "pip" in text else {}),
                capture_output=True,
                text=True,
                check=False,
            )
            if text.endswith("setuptools") and "Could not find a version" in result.stderr:
                pytest.skip("no package index can be reached")
            assert result.returncode == 0, (text, result.stderr[-3000:])
    for sources, place in copies(STEPS, LAST):
        copy([*sources, place], root / "app")
    # In place of what was resolved only.
    own = next(target.glob("lib/python*/site-packages"))
    (own / "dependencies.pth").write_text(str(Path(yaml.__file__).parent.parent))
    return target, root / "app"


def clean(target: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return kept | {"PATH": f"{target / 'bin'}{os.pathsep}{os.environ['PATH']}", "HF_HUB_OFFLINE": "1"}


def copy(words: Sequence[str], folder: Path) -> None:
    """COPY of files that .dockerignore keeps; a folder's content goes into the target."""
    *sources, target = words
    for source in sources:
        for path in [ROOT / source, *(ROOT / source).rglob("*")]:
            name = path.relative_to(ROOT).as_posix()
            if path.is_file() and not is_ignored(name, IGNORED):
                inner = path.relative_to(ROOT / source) if (ROOT / source).is_dir() else path.name
                (folder / target / inner).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, folder / target / inner)


@pytest.mark.slow
def test_the_steps_of_the_image_run_in_a_clean_environment(environment):
    target, app = environment
    for text in (*texts("HEALTHCHECK"), *texts("CMD")):
        result = subprocess.run(
            exec_form(text), cwd=app, env=clean(target), capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr
        assert "monai-gi" in result.stdout
    where = subprocess.run(
        ["python", "-c", "import monai_gi; print(monai_gi.__file__)"],
        cwd=app, env=clean(target), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(where.stdout.strip()).is_relative_to(target)


@pytest.mark.slow
def test_the_installed_package_has_all_files_of_the_repository(environment):
    installed = next(environment[0].glob("lib/python*/site-packages/monai_gi"))
    wanted = {
        path.relative_to(ROOT / "monai_gi")
        for path in (ROOT / "monai_gi").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted - {path.relative_to(installed) for path in installed.rglob("*")} == set()


@pytest.mark.slow
def test_training_starts_in_the_image_and_asks_for_the_data(environment):
    target, app = environment
    words = [substitute(word, {}) for word in COMPOSE["services"]["train"]["command"]]
    words = [word.replace("/output", str(app / "output")).replace("/data", str(app / "data")) for word in words]
    result = subprocess.run(words, cwd=app, env=clean(target), capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert f"{app / 'data'}" in result.stderr.splitlines()[-1]
