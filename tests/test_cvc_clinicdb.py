"""CVC-ClinicDB: both layouts, sequences, protocols by name, every fault at once."""

import json
import logging
import shutil

import numpy as np
import pytest
from PIL import Image

from monai_gi.datasets.cvc_clinicdb import index_cvc_clinicdb, write_index
from monai_gi.datasets.cvc_frames import LAST_FRAMES, PRANET_TEST_FRAMES, published_sequence
from monai_gi.datasets.cvc_protocols import deal_out, leak_warning
from monai_gi.datasets.datalist import training_items, validation_items
from monai_gi.datasets.frame_lists import load_frames
from monai_gi.errors import DataError, DataErrors
from tests.drawn_frames import SIZE, write_frames, write_kaggle, write_metadata

SEQUENCES = {frame: 1 + (frame - 1) // 4 for frame in range(1, 25)}


@pytest.fixture
def root(tmp_path):
    return write_kaggle(tmp_path / "cvc", SEQUENCES)


def problems(folder):
    with pytest.raises(DataErrors) as error:
        index_cvc_clinicdb(folder)
    return [str(fault) for fault in error.value.problems]


# The index


def test_items_of_the_kaggle_layout(root):
    items = index_cvc_clinicdb(root)
    assert [item["id"] for item in items] == [f"cvc_{frame:04d}" for frame in range(1, 25)]
    assert items[9] == {
        "id": "cvc_0010",
        "group": "sequence_03",
        "image": str(root / "PNG/Original/10.png"),
        "label": str(root / "PNG/Ground Truth/10.png"),
        "size": list(SIZE),
    }


@pytest.mark.parametrize("base", ["", "TIF"])
@pytest.mark.parametrize("names", [("Original", "Ground Truth"), ("original", "ground truth")])
def test_plain_and_tif_layouts_take_the_published_table(tmp_path, base, names):
    write_frames(tmp_path / base, [25, 26, 612], suffix=".tif", names=names)
    items = index_cvc_clinicdb(tmp_path)
    assert [item["group"] for item in items] == ["sequence_01", "sequence_02", "sequence_29"]
    assert items[0]["image"] == str(tmp_path / base / names[0] / "25.tif")


def test_kaggle_s_own_folder_takes_the_table_beside_it(root, monkeypatch):
    expected = [item["group"] for item in index_cvc_clinicdb(root)]
    assert [item["group"] for item in index_cvc_clinicdb(root / "PNG")] == expected
    monkeypatch.chdir(root / "PNG")
    assert [item["group"] for item in index_cvc_clinicdb(".")] == expected


def test_frames_that_the_published_table_may_not_mean_are_told(root, caplog):
    index_cvc_clinicdb(root)
    assert caplog.text == ""
    (root / "metadata.csv").unlink()
    index_cvc_clinicdb(root)
    assert "metadata.csv is not there: 24 frames are grouped by the published table" in caplog.text


def test_png_come_before_tif(root):
    write_frames(root / "TIF", [1, 2], suffix=".tif")
    assert {item["image"][-4:] for item in index_cvc_clinicdb(root)} == {".png"}


def test_the_published_table_and_test_frames_are_whole():
    sizes = np.diff([0, *LAST_FRAMES])
    assert (len(sizes), sizes.sum(), sizes.min(), sizes.max()) == (29, 612, 6, 26)
    assert len(PRANET_TEST_FRAMES) == 62
    assert all(published_sequence(frame) for frame in PRANET_TEST_FRAMES)
    assert [published_sequence(frame) for frame in (0, 1, 205, 206, 612, 613)] == [None, 1, 10, 11, 29, None]


def test_the_real_table_is_the_published_one(real_data):
    items = index_cvc_clinicdb(real_data / "cvc_clinicdb")
    assert len(items) == 455
    for item in items:
        assert item["group"] == f"sequence_{published_sequence(int(item['id'][4:])):02d}"
        assert item["size"] == [288, 384]


def test_sequences_may_have_names(root):
    (root / "metadata.csv").write_text(
        "\ufefffile, sequence_id ,frame_id\n" + "".join(f"x,left,{n}\n" for n in SEQUENCES)
    )
    assert {item["group"] for item in index_cvc_clinicdb(root)} == {"sequence_left"}


def test_every_fault_at_once(root):
    png = root / "PNG"
    (png / "Ground Truth" / "2.png").unlink()
    (png / "Original" / "5.png").unlink()
    (png / "Original" / "7.png").write_bytes(b"")
    Image.new("L", (20, 26)).save(png / "Ground Truth" / "9.png")
    shutil.copy(png / "Original" / "11.png", png / "Original" / "011.png")
    shutil.copy(png / "Original" / "11.png", png / "Original" / "polyp.png")
    Image.new("CMYK", (26, 20)).save(png / "Original" / "12.png", format="TIFF")
    (png / "Original" / "Thumbs.db").write_text("nobody's")
    found = problems(root)
    for part in (
        "Ground Truth: frame 2 is missing, but there is one in the other folder",
        "Original: frame 5 is missing, but there is one in the other folder",
        "7.png: is empty (0 bytes)",
        "9.png: the mask is 20 x 26 (W x H), its frame 26 x 20",
        "11.png: frame 11 is there twice, also as 011.png",
        "polyp.png: the name is no frame number",
        "12.png: colours are stored as CMYK",
        "rows for frame 5, which is not in the folder of frames",
    ):
        assert any(part in fault for fault in found), (part, found)
    assert len(found) == 8


def test_every_fault_of_the_table_at_once(root):
    rows = ["frame_id,sequence_id", "1,1", "1,2", "two,1", "3,", "99,4"]
    (root / "metadata.csv").write_text("\n".join(rows))
    found = problems(root)
    for part in (
        "row 3: frame 1 is there twice",
        "row 4: frame_id 'two', sequence_id '1'",
        "row 5: frame_id '3', sequence_id ''",
        "no row for frame 2-24",
        "rows for frame 99, which",
    ):
        assert any(part in fault for fault in found), part
    (root / "metadata.csv").write_text("frame;sequence\n1;1")
    assert "no column frame_id and sequence_id among frame;sequence" in problems(root)[0]
    (root / "metadata.csv").write_bytes(b"frame_id,sequence_id\n\xff\xfe,1")
    assert "is no table of commas in UTF-8" in problems(root)[0]


def test_frames_out_of_the_published_table(tmp_path):
    write_frames(tmp_path, [1, 613, 614])
    assert "metadata.csv: is not there, and frame 613-614 is not in the published table" in problems(tmp_path)[0]


@pytest.mark.parametrize("make", [lambda folder: None, lambda folder: folder.mkdir()])
def test_a_missing_data_set_tells_how_to_get_it(tmp_path, make):
    make(tmp_path / "cvc")
    for find in (index_cvc_clinicdb, load_frames):
        with pytest.raises(DataError, match=r"kaggle datasets download .* phantom cvc-clinicdb"):
            find(tmp_path / "cvc")


def test_folders_without_frames(tmp_path):
    write_frames(tmp_path, [])
    with pytest.raises(DataError, match="Original: holds no frames; pictures named by their number"):
        index_cvc_clinicdb(tmp_path)


# Protocols


def test_a_sequence_is_in_one_fold(root):
    items, test = deal_out(index_cvc_clinicdb(root), folds=3, seed=1)
    assert test == []
    assert {item["fold"] for item in items} == {0, 1, 2}
    assert len({(item["group"], item["fold"]) for item in items}) == 6
    assert leak_warning(items) == ""
    other = deal_out(index_cvc_clinicdb(root), folds=3, seed=2)
    assert other.items != items


def test_fewer_sequences_than_folds(root, caplog):
    items = [item for item in index_cvc_clinicdb(root) if item["group"] in ("sequence_01", "sequence_02")]
    assert {item["fold"] for item in deal_out(items).items} == {0, 1}
    assert "5 folds asked for, 2 sequences found: dealing out 2 folds" in caplog.text
    assert {item["fold"] for item in deal_out(items[:4]).items} == {0}


def test_pranet_s_test_frames_are_fold_0_and_the_rest_is_trained_on(root, caplog):
    items = deal_out(index_cvc_clinicdb(root), "pranet-62").items
    assert [item["id"] for item in items if item["fold"] == 0] == ["cvc_0014", "cvc_0021"]
    assert {item["fold"] for item in items} == {0, 1}
    assert "60 of its 62 test frames are not there" in caplog.text
    assert leak_warning(items).startswith("2 of 6 sequences are in more than one part, so frames leak")


def test_pranet_s_protocol_wants_its_frames(root):
    with pytest.raises(DataError, match="pranet-62: 0 of 13 frames are PraNet's test frames"):
        deal_out(index_cvc_clinicdb(root)[:13], "pranet-62")


def test_random_is_eighty_ten_ten_by_its_seed(root):
    items, test = deal_out(index_cvc_clinicdb(root), "random", seed=3)
    assert (len(items), len(test)) == (22, 2)
    assert sum(item["fold"] == 0 for item in items) == 2
    assert not {item["id"] for item in items} & {item["id"] for item in test}
    again, other = (deal_out(index_cvc_clinicdb(root), "random", seed=seed) for seed in (3, 4))
    assert (items, test) == again
    assert again != other
    assert "frames leak" in leak_warning(items, test)
    with pytest.raises(DataError, match="random: 9 frames, wanted 10 or more"):
        deal_out(index_cvc_clinicdb(root)[:9], "random")


def test_an_unknown_protocol(root):
    with pytest.raises(ValueError, match="protocol: 'patient', wanted one of sequence, pranet-62, random"):
        deal_out([], "patient")
    with pytest.raises(ValueError, match="protocol: 'patient'"):
        load_frames(root, protocol="patient")


# The datalist


def test_the_index_is_written_and_read_back(root):
    report = write_index(root, root / "datalist.json", folds=3, seed=2)
    assert "fold 2     " in report
    assert "26 x 20 (24 frames)" in report
    assert "warning" not in report
    content = json.loads((root / "datalist.json").read_text())
    assert content["labels"] == {"0": "background", "1": "polyp"}
    assert content["protocol"] == "sequence"
    assert content["training"][0]["label"] == "PNG/Ground Truth/1.png"
    assert load_frames(root) == deal_out(index_cvc_clinicdb(root), folds=3, seed=2).items
    train, valid = training_items(load_frames(root), 1), validation_items(load_frames(root), 1)
    assert len(train) + len(valid) == 24
    assert not {item["group"] for item in train} & {item["group"] for item in valid}


def test_without_a_datalist_the_folder_is_indexed_now(root, caplog):
    with caplog.at_level(logging.INFO):
        items = load_frames(root, folds=2, seed=5)
    assert items == deal_out(index_cvc_clinicdb(root), folds=2, seed=5).items
    assert "Indexed 24 frames" in caplog.text
    assert load_frames(root, part="test") == []


@pytest.mark.parametrize("protocol", ["random", "pranet-62"])
def test_leaking_protocols_are_warned_of(root, caplog, protocol):
    assert "warning: " in write_index(root, root / "datalist.json", protocol=protocol)
    load_frames(root)
    assert "so frames leak" in caplog.text


def test_pranet_s_frames_alone_are_not_its_protocol(root, caplog):
    report = write_index(root, root / "datalist.json", protocol="pranet-62")
    load_frames(root)
    for text in (report, caplog.text):
        assert "PraNet trains on 900 frames of Kvasir-SEG too, and here the 62 test frames also choose the best" in text
    assert report.count("warning: ") == 2
    assert "Kvasir" not in write_index(root, root / "datalist.json", protocol="random")


def test_frames_set_aside_are_loaded_as_a_part(root):
    write_index(root, root / "datalist.json", protocol="random")
    test = load_frames(root, part="test", protocol="random")
    assert len(test) == 2
    assert validation_items(test, 0) == test
    with pytest.raises(ValueError, match="part: 'all', wanted one of training, test"):
        load_frames(root, part="all")


def test_a_datalist_of_another_protocol_is_refused(root):
    write_index(root, root / "datalist.json", protocol="random")
    with pytest.raises(DataError, match="was written by the protocol random, sequence is asked for") as caught:
        load_frames(root, protocol="sequence")
    assert caught.value.problem.endswith("--protocol sequence`, and name its file with --datalist")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda item: item.pop("group"), r"training\[3\] lacks group\. Write it again"),
        (lambda item: item.pop("fold"), r"training\[3\] lacks fold"),
        (lambda item: item.update(label={"stomach": ""}), "cvc_0004 has a label that is no path"),
        (lambda item: item.update(image="PNG/none.png"), r"1 of 48 images are gone: .*none.png"),
    ],
)
def test_a_faulty_datalist_is_refused(root, change, problem):
    write_index(root, root / "datalist.json")
    content = json.loads((root / "datalist.json").read_text())
    change(content["training"][3])
    (root / "datalist.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=problem):
        load_frames(root)


def test_a_missing_datalist(root, tmp_path):
    with pytest.raises(DataError, match=r"none.json: the datalist does not exist; `monai-gi index cvc-clinicdb"):
        load_frames(root, tmp_path / "none.json")


def test_the_table_of_a_moved_set_still_fits(root, tmp_path):
    write_index(root, root / "datalist.json")
    moved = shutil.move(root, tmp_path / "elsewhere")
    write_metadata(tmp_path / "elsewhere", {1: 1})
    assert load_frames(moved)[0]["label"] == str(tmp_path / "elsewhere/PNG/Ground Truth/1.png")
