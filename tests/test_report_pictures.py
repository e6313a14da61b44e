"""Captions name what is drawn: the ranking of scores in memory, by which pictures are made, is that of the files."""

import numpy as np
import pytest

from monai_gi.handlers.judged_choice import choose_scans
from monai_gi.metrics import score_scan
from monai_gi.report.pictures import chosen_pictures
from monai_gi.report.reading import read_runs
from tests.drawn_runs import draw_scans, write_evaluation


def scan_of(name, overlaps):
    """Three voxels an organ in truth and prediction, of which so many are shared."""
    truth, pred = np.zeros((2, 3, 4, 6, 2), bool)
    truth[..., 1, :3, 0] = True
    for organ, shared in enumerate(overlaps):
        pred[organ, 1, 3 - shared : 6 - shared, 0] = True
    names = [f"{name}_slice_{number}" for number in range(2)]
    return score_scan(name, name.split("_")[0], pred, truth, spacing_mm=(1.0, 1.0, 2.0), slice_ids=names)


@pytest.mark.parametrize(
    "scores",
    [
        draw_scans(16, shift=2),
        # three thirds, and a third and two thirds and nothing: the same mean, but not of the digits in a table
        [scan_of("case1_day1", (2, 1, 0)), scan_of("case2_day1", (1, 1, 1)), scan_of("case3_day1", (3, 3, 3))],
    ],
)
def test_captions_name_the_scans_that_are_drawn(tmp_path, scores):
    write_evaluation(tmp_path / "judged", scores=scores)
    (run,) = read_runs([tmp_path / "judged"])
    named = {shown.place: shown.who.split(",")[0] for shown in chosen_pictures(run)}
    assert named == choose_scans(scores)
