"""Figures in TensorBoard: which, at which epochs, from which scores; two processes draw once."""

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from monai_gi.handlers import FiguresHandler
from monai_gi.handlers.event_files import close_event_writers
from monai_gi.handlers.figures import score_figures
from monai_gi.metrics.judged import judged_of
from tests.drawn_evaluator import draw_item, draw_masks, evaluate
from tests.drawn_runs import write_curves

ITEMS = [draw_item("case1_day0"), draw_item("case2_day3")]
TRUTH = draw_masks()


PREDS = (draw_masks(shift=1), TRUTH)


@pytest.fixture
def plain(monkeypatch):
    """Drawing takes most of the time; what is drawn is asked for in the tests without this."""
    monkeypatch.setattr("monai_gi.handlers.figures.as_pixels", lambda charts, columns: np.zeros((4, 4, 3), np.uint8))


def run(folder, *, preds=PREDS, truths=(TRUTH, TRUTH), **settings):
    handler = FiguresHandler(folder, ITEMS, **settings)
    evaluate(handler, ITEMS, list(preds), list(truths))
    close_event_writers(folder)
    return handler


def pictures(folder):
    events = EventAccumulator(str(folder / "validation"), size_guidance={"images": 0}).Reload()
    return {tag: events.Images(tag) for tag in events.Tags()["images"]}


def test_the_figures_of_the_report_are_written_at_the_epoch(tmp_path):
    run(tmp_path)
    found = pictures(tmp_path)
    assert set(found) == {
        "figures/scores",
        "figures/dice_against_distance",
        "figures/empty",
        "figures/contest_score",
    }
    assert [image.step for image in found["figures/scores"]] == [1]
    assert found["figures/scores"][0].width > 800


def test_learning_curves_are_there_once_there_are_some(tmp_path, plain):
    write_curves(tmp_path)
    run(tmp_path)
    assert "figures/learning_curves" in pictures(tmp_path)


def test_scores_are_those_of_the_scans(tmp_path, plain):
    handler = run(tmp_path)
    assert sorted(handler.scores) == ["case1_day0", "case2_day3"]
    judged = judged_of(list(handler.scores.values()), bootstrap=20)
    # four rows of six wide, moved by one: 3/4; the other scan is right
    assert judged.number("dice_3d_organ_scans", "large_bowel")["mean"] == pytest.approx((0.75 + 1) / 2)


def test_the_tolerance_reaches_the_scores(tmp_path, plain):
    scores = [run(tmp_path, tolerance_mm=mm).scores["case1_day0"].surface_dice[0] for mm in (0.1, 9.0)]
    assert scores[0] < scores[1] == 1.0


def test_epochs_between_are_left_out(tmp_path):
    assert run(tmp_path, every=2).scores == {}
    assert not (tmp_path / "validation").exists()


def test_no_epoch_at_all_is_refused(tmp_path):
    with pytest.raises(ValueError, match="every: 0, wanted 1 or more epochs"):
        FiguresHandler(tmp_path, ITEMS, every=0)


def test_a_second_validation_forgets_the_first(tmp_path, plain):
    handler = FiguresHandler(tmp_path, ITEMS)
    evaluate(handler, ITEMS, [TRUTH, TRUTH], [TRUTH, TRUTH])
    evaluate(handler, ITEMS[:1], [TRUTH], [TRUTH])
    close_event_writers(tmp_path)
    assert list(handler.scores) == ["case1_day0"]


def test_scans_without_truth_are_refused(tmp_path):
    with pytest.raises(ValueError, match="case1_day0: the evaluator's output has no label"):
        run(tmp_path, truths=(None, None))


def test_a_process_that_is_not_the_first_only_scores(tmp_path, monkeypatch):
    monkeypatch.setattr("monai.engines.workflow.Workflow.__init__", _ranked(1))
    handler = run(tmp_path)
    assert len(handler.scores) == 2
    assert not (tmp_path / "validation").exists()


def _ranked(rank):
    from monai.engines.workflow import Workflow

    begin = Workflow.__init__

    def init(self, *words, **settings):
        begin(self, *words, **settings)
        self.state.rank = rank

    return init


def test_figures_of_other_classes_have_no_contest_score():
    from monai_gi.metrics import score_frame

    mask = np.ones((1, 4, 5), bool)
    figures = score_figures(judged_of([score_frame("f", "s", mask, mask, classes=("polyp",))], bootstrap=20))
    assert figures["contest_score"] == []
    assert len(figures["scores"]) == 4
