"""The validation loss is the training loss, slice by slice, of the raw output."""

import math

import pytest
import torch
from monai.data import MetaTensor
from monai.engines import SupervisedEvaluator
from monai.transforms import AsDiscreted

from monai_gi.handlers import OrganOverlap, SliceLoss


def scans(depths):
    random = torch.Generator().manual_seed(1)
    return [
        {"image": torch.randn(1, 3, 6, 10, depth, generator=random), "label": torch.rand(1, 3, 6, 10, depth).round()}
        for depth in depths
    ]


def mean_loss(logits, label):
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, label)


def test_loss_of_scans_is_the_mean_over_their_slices_before_postprocessing():
    data = scans([5, 2])
    evaluator = SupervisedEvaluator(
        device="cpu",
        val_data_loader=[{key: MetaTensor(value) for key, value in scan.items()} for scan in data],
        network=torch.nn.Identity(),
        postprocessing=AsDiscreted(keys="pred", threshold=0.5),
        key_val_metric={"val_mean_dice": OrganOverlap("val_")},
        additional_metrics={"val_loss": SliceLoss(mean_loss, batch_size=2)},
    )
    evaluator.run()
    slices = [
        mean_loss(s["image"][..., i], s["label"][..., i]).item() for s in data for i in range(s["image"].shape[4])
    ]
    assert len(slices) == 7
    assert evaluator.state.metrics["val_loss"] == pytest.approx(sum(slices) / 7, rel=1e-6)


def test_loss_sees_batches_of_the_given_size():
    seen = []

    def loss(logits, label):
        seen.append(tuple(logits.shape))
        return mean_loss(logits, label)

    metric = SliceLoss(loss, batch_size=2)
    metric.update((torch.zeros(1, 3, 4, 7, 5), torch.zeros(1, 3, 4, 7, 5)))
    metric.update((torch.zeros(1, 3, 4, 7), torch.zeros(1, 3, 4, 7)))
    assert seen == [(2, 3, 4, 7), (2, 3, 4, 7), (1, 3, 4, 7), (1, 3, 4, 7)]
    assert metric.compute() == pytest.approx(math.log(2))


def test_no_slices_is_nan_and_a_new_epoch_starts_from_nothing():
    metric = SliceLoss(mean_loss)
    metric.update((torch.ones(1, 3, 4, 7), torch.ones(1, 3, 4, 7)))
    metric.reset()
    assert math.isnan(metric.compute())
