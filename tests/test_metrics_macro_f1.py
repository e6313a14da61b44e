"""The pooled macro F1 against scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score

from monai_gi.metrics import confusion, macro_f1
from monai_gi.metrics.macro_f1 import label_map
from tests.oracles import metrics as oracle

PRED, TRUTH = oracle.drawn_organs(shape=(24, 31, 8))


def test_overlaps_go_to_the_later_organ_of_the_priority():
    assert (TRUTH.sum(axis=0) > 1).any()
    np.testing.assert_array_equal(label_map(TRUTH), oracle.label_map(TRUTH))
    every_organ = np.ones((3, 1), dtype=bool)
    assert label_map(every_organ) == [2]
    every_organ[1] = False
    assert label_map(every_organ) == [1]


def test_confusion_and_macro_f1_equal_scikit_learn():
    pred, truth = oracle.label_map(PRED).ravel(), oracle.label_map(TRUTH).ravel()
    counts = confusion(PRED, TRUTH)
    np.testing.assert_array_equal(counts, confusion_matrix(truth, pred, labels=range(4)))
    assert macro_f1(counts) == pytest.approx(f1_score(truth, pred, average="macro"))


def test_classes_absent_from_both_sides_are_left_out():
    pred, truth = PRED.copy(), TRUTH.copy()
    pred[2] = truth[2] = False
    expected = f1_score(oracle.label_map(truth).ravel(), oracle.label_map(pred).ravel(), average="macro")
    assert macro_f1(confusion(pred, truth)) == pytest.approx(expected)


def test_many_matrices_at_once_and_an_empty_one():
    counts = confusion(PRED, TRUTH)
    scores = macro_f1(np.stack([counts, 2 * counts, 0 * counts]))
    assert scores[0] == scores[1]
    assert np.isnan(scores[2])
