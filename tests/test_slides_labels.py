"""Label maps of slides in every encoding against the drawn indices; tables of colours; surveys by counting."""

import json
import logging
import pickle
import tracemalloc

import numpy as np
import pytest
import tifffile
from PIL import Image

from monai_gi.colors import UNKNOWN, color_codes, color_lookup, name_unknown
from monai_gi.errors import DataError
from monai_gi.labels import TISSUE_NAMES, TISSUES
from monai_gi.slides import open_label, parse_color_table, read_color_table
from monai_gi.slides.segment_cache import process_cache
from monai_gi.slides.survey import require_known, survey
from tests.drawn_slide_files import COLORS, RGB_OF_INDEX, blobs, write_palette, write_pyramid, write_tiff
from tests.oracles import slides as oracle
from tests.oracles.colors import labels_of

LABELS = blobs()
RGB = RGB_OF_INDEX[LABELS]
TABLE = parse_color_table(COLORS, "colors.yaml")
TILED = {"tile": (64, 48), "compression": "zlib"}


def save(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


ENCODINGS = {
    "colours, tiles": lambda path: write_tiff(path, RGB, **TILED),
    "colours, strips": lambda path: write_tiff(path, RGB, rowsperstrip=7, compression="zlib"),
    "colours, PNG": lambda path: save(path, RGB, format="PNG"),
    "palette, PNG": lambda path: write_palette(path, LABELS, format="PNG"),
    "palette, TIFF": lambda path: write_palette(path, LABELS, format="TIFF", compression="tiff_lzw"),
    "indices, tiles": lambda path: write_tiff(path, LABELS, **TILED),
    "indices, PNG": lambda path: save(path, LABELS, format="PNG"),
    "indices, one packed piece": lambda path: write_tiff(path, LABELS, compression="zlib", rowsperstrip=301),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_regions_are_those_of_the_drawn_indices(tmp_path, encoding):
    label = open_label(ENCODINGS[encoding](tmp_path / "mask"), TABLE)
    assert label.size == (301, 403)
    for place in [
        (0, 0, 0, 301, 403),
        (0, -5, 390, 20, 30),
        (0, 280, -9, 40, 30),
        (1, 7, 3, 31, 20),
        (3, -2, 30, 43, 25),
        (0, 400, 0, 2, 3),
    ]:
        found = label.read(*place)
        assert found.dtype == np.uint8
        assert np.array_equal(found, oracle.label_region(LABELS, *place))


@pytest.mark.parametrize("kind", ["colours", "palette", "indices"])
def test_tiles_that_a_file_leaves_out_are_background(tmp_path, kind):
    rgb = np.array([[255, 255, 255], [0, 0, 0], [0, 158, 115]], dtype=np.uint8)  # black is no background here
    rows = [{**row, "rgb": color} for row, color in zip(COLORS["classes"], rgb[[0, 2, 1]].tolist(), strict=True)]
    table = parse_color_table({"classes": rows}, "colors.yaml")
    values = {"palette": (LABELS + 1) % 3, "indices": LABELS}.get(kind, rgb[LABELS])
    options = {"photometric": "rgb" if values.ndim == 3 else "minisblack"}
    if kind == "palette":
        colormap = np.zeros((3, 256), dtype=np.uint16)
        colormap[:, :3] = rgb[[2, 0, 1]].T * np.uint16(257)
        options = {"photometric": "palette", "colormap": colormap}
    tiles = iter([values[:64, :48], None, values[64:128, :48], None])
    path = tmp_path / "mask.tif"
    shape = (128, 96, *values.shape[2:])
    tifffile.imwrite(path, tiles, shape=shape, dtype=np.uint8, metadata=None, **TILED, **options)
    label = open_label(path, table)
    wanted = LABELS[:128, :96].copy()
    wanted[:, 48:] = 0
    assert np.array_equal(label.read(0, 0, 0, 128, 96), wanted)
    assert survey(label).unknown_pixels == 0


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_survey_counts_every_pixel_once(tmp_path, encoding):
    found = survey(open_label(ENCODINGS[encoding](tmp_path / "mask"), TABLE), cell=48)
    assert np.array_equal(found.cells, oracle.cell_counts(LABELS, 48, 3))
    assert found.pixels.tolist() == np.bincount(LABELS.ravel()).tolist()
    assert (found.unknown, found.unknown_pixels, found.size) == ({}, 0, (301, 403))


def test_stored_levels_are_used_for_indices_and_not_for_colours(tmp_path):
    other = 2 - LABELS[::2, ::2]
    indices = open_label(write_pyramid(tmp_path / "indices.tif", [LABELS, other]), TABLE)
    assert np.array_equal(indices.read(1, 0, 0, 150, 200), other[:150, :200])
    assert np.array_equal(indices.read(2, 0, 0, 75, 100), other[1::2, 1::2][:75, :100])
    colors = open_label(write_pyramid(tmp_path / "colors.tif", [RGB, RGB_OF_INDEX[other]]), TABLE)
    assert np.array_equal(colors.read(1, 0, 0, 150, 200), oracle.label_region(LABELS, 1, 0, 0, 150, 200))


def test_unknown_colours_are_counted_named_and_an_error_above_the_share(tmp_path, caplog):
    stray = RGB.copy()
    stray[100:103, 200:210] = (1, 2, 3)
    stray[300, 402] = (9, 9, 9)
    path = write_tiff(tmp_path / "mask.tif", stray, **TILED)
    label = open_label(path, TABLE)
    found = survey(label)
    assert found.unknown == {0x010203: 30, 0x090909: 1}
    named = r"31 of 121303 pixels \(0.03%\) have unknown colours: \(1, 2, 3\) 30 px, \(9, 9, 9\) 1 px"
    with pytest.raises(DataError, match=rf"mask.tif: {named}. Add them to the table"):
        require_known(label, found)
    tolerant = open_label(path, TABLE._replace(max_unknown_share=31 / 121303, unknown=2))
    assert (tolerant.read(0, 100, 200, 3, 10) == 2).all()
    assert survey(tolerant).pixels[2] == np.count_nonzero(LABELS == 2) + np.count_nonzero(
        (LABELS != 2) & (stray != RGB).any(axis=2)
    )
    with caplog.at_level(logging.WARNING, logger="monai_gi"):
        require_known(tolerant, survey(tolerant))
    assert "31 of 121303 pixels" in caplog.text
    assert "taken as class 2" in caplog.text


def test_unknown_values_of_indices_and_palettes_are_named_too(tmp_path):
    values = LABELS.copy()
    values[0, :5] = 77
    found = survey(open_label(save(tmp_path / "mask.png", values), TABLE))
    assert found.unknown == {77 * 0x010101: 5}
    colors = RGB_OF_INDEX.copy()
    colors[1] = (10, 20, 30)
    found = survey(open_label(write_palette(tmp_path / "palette.png", LABELS, colors), TABLE))
    assert found.unknown == {0x0A141E: int(np.count_nonzero(LABELS == 1))}


def test_grey_values_are_indices_or_else_exact_greys_of_the_table(tmp_path):
    classes = [BACKGROUND, {"name": "tissue", "index": 1, "rgb": [255, 255, 255]}]
    table = parse_color_table({"tolerance": 5, "classes": classes}, "colors.yaml")
    label = open_label(save(tmp_path / "mask.png", np.array([[0, 1, 255], [3, 252, 255]], dtype=np.uint8)), table)
    assert label.read(0, 0, 0, 2, 3).tolist() == [[0, 1, 1], [0, 0, 1]]
    assert survey(label).unknown == {0x030303: 1, 0xFCFCFC: 1}


def test_noise_of_many_colours_is_counted_in_bounded_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("monai_gi.slides.survey._COLORS_KEPT", 100)
    noise = np.random.default_rng(0).integers(20, 80, (301, 403, 3), dtype=np.uint8)
    noise[:9] = (1, 1, 1)
    label = open_label(write_tiff(tmp_path / "mask.tif", noise, **TILED), TABLE)
    found = survey(label)
    assert found.unknown_pixels == 301 * 403
    assert len(found.unknown) == 50
    with pytest.raises(
        DataError, match=r"121303 of 121303 pixels \(100.00%\) have unknown colours: \(1, 1, 1\) 3627 px"
    ):
        require_known(label, found)


def test_tolerance_reaches_the_label_map(tmp_path):
    blurred = np.clip(RGB.astype(int) + np.random.default_rng(0).integers(-6, 7, RGB.shape), 0, 255).astype(np.uint8)
    path = write_tiff(tmp_path / "mask.tif", blurred, **TILED)
    assert np.array_equal(open_label(path, TABLE._replace(tolerance=6)).read(0, 0, 0, 301, 403), LABELS)
    assert survey(open_label(path, TABLE._replace(tolerance=5))).unknown_pixels > 0


def test_a_label_map_is_gone_through_in_bounded_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(process_cache(), "capacity", 1_000_000)
    large = np.tile(RGB, (10, 12, 1))  # 44 MB
    label = open_label(write_tiff(tmp_path / "mask.tif", large, **TILED), TABLE)
    label.read(0, 0, 0, 1, 1)
    tracemalloc.start()
    survey(label)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 35_000_000


def test_a_pickled_label_map_reads_the_same(tmp_path):
    label = open_label(write_tiff(tmp_path / "mask.tif", RGB, **TILED), TABLE)
    assert len(pickle.dumps(label)) < 10_000
    assert np.array_equal(pickle.loads(pickle.dumps(label)).read(0, 3, 4, 50, 60), LABELS[3:53, 4:64])
    label.close()
    with pytest.raises(ValueError, match="wanted level 0 or more, and pixels"):
        label.read(-1, 0, 0, 1, 1)


@pytest.mark.parametrize("tolerance", [0, 1, 7, 60])
def test_the_lookup_agrees_with_the_search(tolerance):
    colors = ((0, 0, 0), (255, 0, 0), (10, 14, 8), (12, 10, 9), (250, 250, 250))
    labels = (0, 3, 1, 2, 1)
    rgb = np.random.default_rng(0).integers(0, 256, (4_000, 3))
    rgb[:2_000] %= 30
    wanted = labels_of(rgb, colors, labels, tolerance, UNKNOWN)
    assert np.array_equal(color_lookup(colors, labels, tolerance)[color_codes(rgb)], wanted)


def test_codes_of_colours_by_hand():
    assert color_codes(np.array([[1, 2, 3], [255, 0, 16]], dtype=np.uint8)).tolist() == [0x010203, 0xFF0010]
    text = name_unknown(np.array([0x010203, 5]), np.array([2, 7]), 90)
    assert text == "9 of 90 pixels (10.00%) have unknown colours: (0, 0, 5) 7 px, (1, 2, 3) 2 px"


def test_a_table_is_read_from_yaml_and_comes_back_from_json(tmp_path):
    rows = [f"  - {{name: {t.name}, index: {t.index}, rgb: {list(t.rgb)}}}" for t in TISSUES]
    text = "\n".join(["tolerance: 3", "max_unknown_share: 0.25", "unknown: 1", "classes:", *rows])
    (tmp_path / "colors.yaml").write_text(text)
    table = read_color_table(tmp_path / "colors.yaml")
    assert table.names == table.class_names == TISSUE_NAMES
    assert table.rgb == tuple(tissue.rgb for tissue in TISSUES)
    assert (table.indices, table.tolerance, table.max_unknown_share, table.unknown) == (tuple(range(6)), 3, 0.25, 1)
    assert parse_color_table(json.loads(json.dumps(table.to_json())), "datalist.json") == table


def test_several_colours_may_be_one_class_and_indices_may_be_left_out():
    rows = [*COLORS["classes"][:2], {"name": "tubule", "index": 2, "rgb": [1, 1, 1]}]
    table = parse_color_table({"classes": rows}, "colors.yaml")
    assert table.class_names == ("background", "class 1", "tubule")
    assert table.lookup()[[0x010101, 0x009E73, 0x020202]].tolist() == [2, 2, UNKNOWN]


def row(**changes):
    return {"name": "vessel", "index": 1, "rgb": [1, 2, 3], **changes}


BACKGROUND = {"name": "background", "index": 0, "rgb": [0, 0, 0]}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ([], "no list `classes`"),
        ({"classes": []}, "no list `classes`"),
        ({"classes": [BACKGROUND, {"name": "vessel"}]}, "wanted the keys name, index and rgb"),
        ({"classes": [BACKGROUND, "vessel"]}, "vessel: wanted the keys name, index and rgb"),
        ({"classes": [BACKGROUND, row(name="")]}, "wanted a name in letters"),
        ({"classes": [BACKGROUND, row(index=255)]}, "vessel: index 255, wanted a whole number 0 to 254"),
        ({"classes": [BACKGROUND, row(index=True)]}, "vessel: index True, wanted a whole number"),
        ({"classes": [BACKGROUND, row(rgb=[1, 2])]}, r"vessel: rgb \[1, 2\], wanted three whole numbers 0 to 255"),
        ({"classes": [BACKGROUND, row(rgb=[1, 2, 256])]}, "wanted three whole numbers"),
        ({"classes": [row()]}, "no class has index 0; wanted the background there"),
        ({"classes": [BACKGROUND, row(rgb=[0, 0, 0])]}, "wanted every colour once"),
        ({"classes": [BACKGROUND, row(index=0)]}, "index 0 is background and vessel; wanted one name an index"),
        ({"classes": [BACKGROUND, row(name="background")]}, "background has several indices; wanted one"),
        ({"classes": [BACKGROUND], "tolerance": 1.5}, "tolerance: 1.5, wanted a whole number 0 to 255"),
        ({"classes": [BACKGROUND], "max_unknown_share": 2}, "max_unknown_share: 2, wanted a number 0 to 1"),
        ({"classes": [BACKGROUND], "unknown": -1}, "unknown: -1, wanted an index 0 to 254"),
        ({"classes": [BACKGROUND], "tolerence": 3}, "tolerence is not known; there are tolerance, max_unknown_share"),
    ],
)
def test_faulty_tables_are_named(content, problem):
    with pytest.raises(DataError, match=problem):
        parse_color_table(content, "colors.yaml")


def test_all_faults_of_a_table_come_at_once(tmp_path):
    content = {"tolerance": -1, "classes": [BACKGROUND, row(index=300), row(rgb=7)]}
    with pytest.raises(DataError, match="3 problems") as fault:
        parse_color_table(content, "colors.yaml")
    assert len(fault.value.problems) == 3
    (tmp_path / "colors.yaml").write_text("classes: [")
    with pytest.raises(DataError, match=r"colors.yaml: is no YAML"):
        read_color_table(tmp_path / "colors.yaml")
    with pytest.raises(DataError, match=r"none.yaml: can not be opened .* the table of colours is wanted"):
        read_color_table(tmp_path / "none.yaml")
