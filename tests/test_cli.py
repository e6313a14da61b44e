"""The command line: exit codes, one message, nothing imported for --help."""

import errno
import json
import os
import re
import shlex
import subprocess
import sys
import types
from pathlib import Path

import pytest

from monai_gi.cli import main
from monai_gi.datasets.phantom.dicom import write_dicom


def test_phantom_then_index(tmp_path, capsys):
    data = tmp_path / "data"
    assert (
        main(["phantom", "uw-madison", str(data), "--cases", "2", "--days", "1", "--slices", "3", "--seed", "5"]) == 0
    )
    # 3 slices over 5/4 of the 190 mm of gut
    assert "--slice_spacing_mm 79.2" in capsys.readouterr().out
    datalist = tmp_path / "datalist.json"
    assert main(["index", "uw-madison", str(data), "--output", str(datalist), "--folds", "2"]) == 0
    assert "slices" in capsys.readouterr().out
    assert {item["fold"] for item in json.loads(datalist.read_text())["training"]} == {0, 1}


def test_every_option_of_the_phantom_reaches_it(tmp_path, monkeypatch):
    asked = {}
    monkeypatch.setattr(
        "monai_gi.datasets.phantom.uw_madison.write_uw_madison", lambda root, **options: asked.update(options)
    )
    words = ["--cases", "3", "--days", "4", "--slices", "5", "--seed", "6", "--full-size"]
    assert main(["phantom", "uw-madison", str(tmp_path), *words]) == 0
    assert asked == {"cases": 3, "days": 4, "slices": 5, "seed": 6, "full_size": True}


def test_bad_data_ends_with_exit_code_2_and_one_message(tmp_path, capsys):
    assert main(["index", "uw-madison", str(tmp_path / "absent"), "--output", str(tmp_path / "d.json")]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert not (tmp_path / "d.json").exists()


def test_a_folder_that_is_a_file_ends_with_one_message(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["phantom", "dicom", str(tmp_path / "file" / "below"), "--slices", "4"]) == 2
    assert re.search(r"^error: .*file.*: Not a directory$", capsys.readouterr().err, re.MULTILINE)


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, 1), (errno.EDQUOT, 1), (errno.EIO, 1), (errno.EMFILE, 1), (errno.EACCES, 2), (errno.ENOTDIR, 2)],
)
def test_what_the_machine_refuses_is_a_failure_and_what_the_place_refuses_bad_input(number, code, monkeypatch, capsys):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("monai_gi.datasets.phantom.uw_madison.write_uw_madison", refuse)
    assert main(["phantom", "uw-madison", "d"]) == code
    assert capsys.readouterr().err == f"error: {os.strerror(number)}\n"


def test_ctrl_c_ends_with_130(tmp_path, monkeypatch, capsys):
    def stop(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("monai_gi.datasets.phantom.uw_madison.write_uw_madison", stop)
    assert main(["phantom", "uw-madison", str(tmp_path)]) == 130
    assert "Stopped" in capsys.readouterr().err


def test_render_bundles_says_when_nothing_changed(capsys):
    assert main(["render-bundles"]) == 0
    assert capsys.readouterr().out == "every bundle is as its source renders it\n"


@pytest.mark.parametrize("words", [["--help"], ["phantom", "uw-madison", "--help"], ["--version"]])
def test_help_imports_no_heavy_package(words):
    program = (
        "import sys; from monai_gi.cli import main\n"
        f"try: main({words})\nexcept SystemExit as end: assert end.code == 0\n"
        "heavy = {'torch', 'monai', 'numpy', 'transformers', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def test_listing_series_imports_no_network_package(tmp_path):
    write_dicom(tmp_path / "in", slices=4, size=(32, 40), spacing_mm=9.0)
    program = (
        f"import sys; from monai_gi.cli import main; assert main(['series', {str(tmp_path / 'in')!r}]) == 0\n"
        "heavy = {'torch', 'monai', 'transformers', 'pandas', 'highdicom', 'skimage'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def test_every_option_of_compare_reaches_it(tmp_path, monkeypatch):
    asked = []

    def compare(*words, **options):
        asked.append((words, options))
        return types.SimpleNamespace(table=lambda: "table")

    monkeypatch.setattr("monai_gi.comparing.compare_files", compare)
    options = ["--series", "s", "--name", "stomach=Magen", "--tolerance", "2", "--allow-gaps", "--output", "o.csv"]
    assert main(["compare", "a", "b", *options]) == 0
    expected = {"tolerance_mm": 2.0, "allow_gaps": True, "output": Path("o.csv")}
    assert asked == [((Path("a"), Path("b"), Path("s"), {"stomach": "Magen"}), expected)]


@pytest.mark.parametrize(
    ("job", "words", "asked"),
    [
        (
            "datasets.cvc_clinicdb.write_index",
            ["index", "cvc-clinicdb", "d", "--output", "o", "--protocol", "random", "--folds", "4", "--seed", "2"],
            [Path("d"), Path("o"), "random", 4, 2],
        ),
        (
            "slide_indexing.index_biopsy",
            shlex.split("index biopsy d --output o --colors c.yaml --folds 4 --seed 2 --max-pixels 9"),
            [Path("d"), Path("o"), Path("c.yaml"), 4, 2, 9],
        ),
        (
            "datasets.phantom.cvc_clinicdb.write_cvc_clinicdb",
            shlex.split("phantom cvc-clinicdb d --sequences 3 --frames 4 --seed 5"),
            [Path("d"), 3, 4, 5],
        ),
        (
            "datasets.phantom.biopsy.write_biopsy",
            shlex.split("phantom biopsy d --slides 3 --megapixels 0.5 --seed 5"),
            [Path("d"), 3, 0.5, 5],
        ),
    ],
)
def test_every_option_of_polyps_and_biopsies_reaches_the_job(job, words, asked, monkeypatch):
    seen = []
    monkeypatch.setattr(f"monai_gi.{job}", lambda *words, **options: seen.extend([*words, *options.values()]))
    assert main(words) == 0
    assert seen == asked


@pytest.mark.parametrize(("pairs", "code"), [([], 0), (["a pair"], 1)])
def test_leaks_tells_by_its_exit_code(pairs, code, monkeypatch, capsys):
    seen = []

    def report(*words, **options):
        seen.extend([*words, *options.values()])
        return types.SimpleNamespace(pairs=pairs, text="the table")

    monkeypatch.setattr("monai_gi.leaking.report_leaks", report)
    assert main(shlex.split("leaks d.json --dataset_dir d --threshold 0.8 --output o")) == code
    assert seen == [Path("d.json"), Path("d"), 0.8, Path("o")]
    assert capsys.readouterr().out == "the table\n"


def compare_bundles(monkeypatch, *words, ok=True):
    """The exit code of a comparison that is not made, and what it would be asked."""
    seen = []

    def compare(request):
        seen.append(request)
        return types.SimpleNamespace(text="table", ok=ok)

    monkeypatch.setattr("monai_gi.bundle_comparison.compare_bundles", compare)
    return main(["compare-bundles", *words]), seen[0]


def test_every_option_of_compare_bundles_reaches_it(monkeypatch, capsys):
    words = shlex.split("--dataset_dir d --budget 3epochs --output o --folds 4 --fold 1 --seed 2 --device cpu")
    sets = ["--set", "batch_size=8", "--set", "b4:roi_size=[64, 96]", "--set", "b4:network_def::variant=b4"]
    code, request = compare_bundles(monkeypatch, "--bundles", "unetpp,b4=segformer", *words, *sets)
    assert code == 0
    bundles = {"unetpp": "unetpp", "b4": "segformer"}
    assert (request.bundles, request.dataset_dir, request.output) == (bundles, Path("d"), Path("o"))
    assert (request.budget, request.folds, request.fold, request.seed, request.device) == ("3epochs", 4, 1, 2, "cpu")
    settings = ((None, "batch_size", "8"), ("b4", "roi_size", "[64, 96]"), ("b4", "network_def::variant", "b4"))
    assert request.settings == settings
    assert capsys.readouterr().out == "table\n"


def test_a_comparison_in_which_all_failed_ends_with_1(monkeypatch):
    words = shlex.split("--bundles unetpp --dataset_dir d --budget 3epochs --set network_def::variant=b4")
    code, request = compare_bundles(monkeypatch, *words, ok=False)
    assert code == 1
    assert request.output == Path("runs/comparison")
    assert request.settings == ((None, "network_def::variant", "b4"),)


@pytest.mark.parametrize("text", ["batch_size", "=8", "segformer:=8"])
def test_a_setting_without_id_or_value_is_refused(text, capsys):
    with pytest.raises(SystemExit):
        main(
            [
                "compare-bundles",
                "--bundles",
                "a",
                "--dataset_dir",
                "d",
                "--budget",
                "1m",
                "--output",
                "o",
                "--set",
                text,
            ]
        )
    assert "wanted ID=VALUE" in capsys.readouterr().err


def test_every_option_of_looking_reaches_its_job(monkeypatch, capsys):
    seen = []

    def job(*words, **options):
        seen.append([*words, *options.values()])
        return types.SimpleNamespace(text="the text", ok=len(seen) == 3)

    for name in ("app.serve", "report.write_report", "showing.show", "diagnosis.doctor"):
        monkeypatch.setattr(f"monai_gi.{name}", job)
    page = "--bundle b --weights w --host ::1 --port 1 --auth a:b --max-upload-megabytes 2 --max-pixels 3 --device cpu"
    assert main([*shlex.split(f"app {page}"), "--trust", "--key", "k.pem"]) == 0
    assert main(shlex.split("report r1 r2 --output o.html --pdf")) == 0
    assert main(shlex.split("show p --slice 4 --output o.png --images i --series 1.2")) == 0
    assert main(["doctor", "--dataset_dir", "d"]) == 1
    request = seen.pop(0)[0]
    assert (request.bundle, request.weights, request.device, request.trust) == (Path("b"), Path("w"), "cpu", True)
    assert (request.host, request.port, request.auth) == ("::1", 1, "a:b")
    assert (request.max_upload_megabytes, request.max_pixels, request.key) == (2, 3, Path("k.pem"))
    assert seen == [
        [[Path("r1"), Path("r2")], Path("o.html"), True],
        [Path("p"), 4, Path("o.png"), Path("i"), "1.2"],
        [Path("d")],
    ]
    assert capsys.readouterr().out.endswith("the text\n")


def test_a_pipe_that_nobody_reads_any_more_is_no_fault_to_talk_about():
    line = f"{sys.executable} -m monai_gi completion bash | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) in [("141\n", ""), ("0\n", "")]


@pytest.mark.parametrize("text", ["-5", "0", "1e6", "many"])
def test_a_pixel_budget_that_is_none_is_refused(text, capsys):
    with pytest.raises(SystemExit):
        main([*shlex.split("index biopsy d --output o --colors c.yaml"), f"--max-pixels={text}"])
    assert "wanted a whole number of 1 or more" in capsys.readouterr().err
