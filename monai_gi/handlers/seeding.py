"""Random numbers of an epoch as a function of (seed, epoch, rank), so that a resumed epoch repeats the lost one."""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from ignite.engine import Events
from monai.engines import Workflow


class EpochSeed:
    """At the start of every epoch: seed everything, tell data and augmentation, and begin the loader anew.

    The loader draws its shuffle and its workers' seeds when its iterator is made. Ignite keeps an iterator over
    epochs, so it is made here, right after seeding: every epoch starts alike, the first after a resume too.

    Args:
        seed: of the run.
        objects: what else draws or depends on the epoch; whichever it has of `set_epoch(epoch)`, `set_seed(number)`
            and MONAI's `set_random_state(seed=number)` is called. None among them is passed over.
    """

    def __init__(self, seed: int, objects: Sequence[Any] = ()) -> None:
        self.seed = seed
        self.objects = [item for item in objects if item is not None]

    def attach(self, engine: Workflow) -> None:
        """Listen to a trainer.

        Args:
            engine: a MONAI trainer (its `state.rank` tells the processes apart).
        """
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Workflow) -> None:
        """Seed the epoch that begins.

        Args:
            engine: the trainer.
        """
        number = epoch_seed(self.seed, engine.state.epoch, engine.state.rank)
        random.seed(number)
        np.random.seed(number)  # noqa: NPY002 - other people's transforms draw from it
        torch.manual_seed(number)
        for item in self.objects:
            _tell(item, engine.state.epoch, number)
        engine.set_data(engine.state.dataloader)


def epoch_seed(seed: int, epoch: int, rank: int = 0) -> int:
    """A seed for one epoch of one process; neighbouring epochs and ranks share no stream.

    Args:
        seed: of the run.
        epoch: 1 is the first.
        rank: of the process.

    Returns:
        A number below 2**32, as NumPy's seed wants.
    """
    return int(np.random.SeedSequence([seed, epoch, rank]).generate_state(1)[0])


def _tell(item: Any, epoch: int, number: int) -> None:
    if hasattr(item, "set_epoch"):
        item.set_epoch(epoch)
    if hasattr(item, "set_seed"):
        item.set_seed(number)
    elif hasattr(item, "set_random_state"):
        item.set_random_state(seed=number)
