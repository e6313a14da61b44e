"""An epoch is a function of seed, epoch and rank: order, augmentation and noise repeat, wherever the run began."""

import random

import numpy as np
import pytest
import torch
from monai.engines import Workflow
from monai.transforms import RandGaussianNoise
from torch.utils.data import DataLoader

from monai_gi.handlers import EpochSeed
from monai_gi.handlers.seeding import epoch_seed


def epochs_of(count, *, start=0, seed=3, rank=0, objects=(), epoch_length=None):
    """What each epoch drew: the loader's order and one number from each generator."""
    drawn = {}

    def step(engine, batch):
        if engine.state.epoch not in drawn:
            drawn[engine.state.epoch] = [random.random(), np.random.rand(), torch.rand(1).item()]  # noqa: NPY002
        drawn[engine.state.epoch] += batch.tolist()

    loader = DataLoader(torch.arange(12), batch_size=4, shuffle=True)
    engine = Workflow(
        device="cpu", max_epochs=count, data_loader=loader, iteration_update=step, epoch_length=epoch_length
    )
    EpochSeed(seed, objects).attach(engine)
    engine.state.rank = rank
    engine.state.epoch, engine.state.iteration = start, start * engine.state.epoch_length
    torch.manual_seed(start)
    engine.run()
    return drawn


def test_epochs_repeat_when_the_run_begins_later():
    whole = epochs_of(4)
    assert list(whole) == [1, 2, 3, 4]
    assert epochs_of(4, start=2) == {3: whole[3], 4: whole[4]}


def test_epochs_repeat_when_they_do_not_exhaust_the_loader():
    whole = epochs_of(3, epoch_length=2)
    assert epochs_of(3, start=1, epoch_length=2) == {2: whole[2], 3: whole[3]}


def test_epochs_seeds_and_ranks_draw_differently():
    first, second = epochs_of(2).values()
    assert first != second
    assert epochs_of(1)[1] != epochs_of(1, seed=4)[1]
    assert epochs_of(1)[1] != epochs_of(1, rank=1)[1]
    assert len({epoch_seed(s, e, r) for s in range(9) for e in range(9) for r in range(9)}) == 9**3


class Augmentation:
    def __init__(self):
        self.seeds = []
        self.epochs = []

    def set_seed(self, seed):
        self.seeds.append(seed)

    def set_epoch(self, epoch):
        self.epochs.append(epoch)


def test_objects_are_told_epoch_and_seed_before_the_loader_begins():
    told = Augmentation()
    epochs_of(3, objects=[told, None])
    assert told.epochs == [1, 2, 3]
    assert told.seeds == [epoch_seed(3, epoch) for epoch in (1, 2, 3)]


def test_monai_transforms_are_seeded():
    noise = RandGaussianNoise(prob=1.0)
    epochs_of(2, objects=[noise])
    after = noise(torch.zeros(1, 3, 5))
    noise.set_random_state(seed=epoch_seed(3, 2))
    assert torch.equal(after, noise(torch.zeros(1, 3, 5)))


@pytest.mark.parametrize("seed", [0, 2**31])
def test_seed_fits_numpy(seed):
    assert 0 <= epoch_seed(seed, 1) < 2**32
