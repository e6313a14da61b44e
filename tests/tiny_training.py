"""A training of seconds with everything that must survive a kill: batch norm, dropout, shuffling, EMA, early stop.

Run as a program: `python -m tests.tiny_training OUTPUT_DIR [--resume] [--epochs 6] [--curves]`.
"""

import argparse
import contextlib
import logging
from pathlib import Path

import torch
from ignite.engine import Events
from ignite.handlers import EMAHandler
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.handlers import EarlyStopHandler, LrScheduleHandler, ValidationHandler
from torch.utils.data import DataLoader

from monai_gi.handlers import (
    AtomicCheckpointSaver,
    CurvesHandler,
    EpochSeed,
    OrganOverlap,
    ProgressHandler,
    ResumeCheckpoint,
)

BATCHES = 3


def build_network():
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, padding=1),
        torch.nn.BatchNorm2d(4),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.5),
        torch.nn.Conv2d(4, 3, 1),
    )


def slices(count, seed):
    """Slices (1, 12, 20) with three overlapping bright bands as organs."""
    random = torch.Generator().manual_seed(seed)
    label = torch.zeros(count, 3, 12, 20)
    for i, start in enumerate(torch.randint(0, 8, (count,), generator=random).tolist()):
        label[i, 0, 2:7, start : start + 6] = 1
        label[i, 1, 5:9, start + 3 : start + 9] = 1
        label[i, 2, 9:, start:] = 1
    image = label.sum(dim=1, keepdim=True) / 3 + 0.3 * torch.rand(count, 1, 12, 20, generator=random)
    return [{"image": image[i], "label": label[i]} for i in range(count)]


class Training:
    """The parts of one run, built as a bundle's config builds them."""

    def __init__(
        self,
        folder,
        *,
        resume=False,
        epochs=6,
        patience=50,
        curves=False,
        settings=None,
        data=None,
        batch_size=4,
        interval=1,
    ):
        torch.manual_seed(0)
        self.network = build_network()
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=0.02)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: 0.97**step)
        self.ema = EMAHandler(self.network, momentum=0.1)
        self.saver = AtomicCheckpointSaver(
            str(folder), {"model": self.network}, save_key_metric=True, key_metric_n_saved=2
        )
        self.best = AtomicCheckpointSaver(
            str(folder), {"model": self.network}, save_key_metric=True, key_metric_filename="model.pt"
        )
        boards = [CurvesHandler(Path(folder) / "tensorboard", "val_")] if curves else []
        self.evaluator = SupervisedEvaluator(
            device="cpu",
            val_data_loader=DataLoader(slices(4, 1), batch_size=2),
            network=self.network,
            key_val_metric={"val_mean_dice": OrganOverlap("val_")},
            val_handlers=[self.saver, self.best, *boards],
        )
        boards = [CurvesHandler(Path(folder) / "tensorboard", "train_", every=2)] if curves else []
        self.trainer = SupervisedTrainer(
            device="cpu",
            max_epochs=epochs,
            train_data_loader=DataLoader(slices(4 * BATCHES, 0), batch_size=batch_size, shuffle=True),
            network=self.network,
            optimizer=self.optimizer,
            loss_function=torch.nn.BCEWithLogitsLoss(),
            decollate=False,
            key_train_metric={"train_mean_dice": OrganOverlap("train_")},
            train_handlers=[
                EpochSeed(7),
                self.ema,
                LrScheduleHandler(self.scheduler, print_lr=False, epoch_level=False),
                ValidationHandler(interval, self.evaluator),
                *boards,
                ProgressHandler(),
            ],
        )
        self.early_stop = EarlyStopHandler(
            patience,
            lambda engine: engine.state.metrics["val_mean_dice"],
            self.trainer,
            min_delta=None,
            cumulative_delta=None,
        )
        self.early_stop.attach(self.evaluator)
        self.checkpoint = ResumeCheckpoint(
            Path(folder) / "resume.pt",
            {
                "network": self.network,
                "optimizer": self.optimizer,
                "lr_scheduler": self.scheduler,
                "ema": self.ema,
                "best": self.saver,
                "best_model": self.best,
                "early_stop": self.early_stop,
                "disabled": None,
            },
            enabled=resume,
            settings=settings,
            data=data,
        )

    def run(self):
        self.checkpoint.attach(self.trainer, self.evaluator)
        self.trainer.run()
        return self

    def state(self):
        """All that two runs must agree on, as flat tensors and numbers."""
        moments = [value for state in self.optimizer.state.values() for value in state.values()]
        return {
            "weights": [*self.network.state_dict().values(), *self.ema.ema_model.state_dict().values(), *moments],
            "numbers": [
                self.scheduler.get_last_lr(),
                self.trainer.state.epoch,
                self.trainer.state.iteration,
                self.trainer.state.best_metric,
                self.evaluator.state.best_metric,
                self.evaluator.state.best_metric_epoch,
                self.early_stop._handler.state_dict(),
                self.saver.state_dict(),
            ],
        }


class Stop(Exception):
    """Ends a run as a kill would, in the middle of an epoch."""


def stopped(folder, iteration, **settings):
    """A run of 4 epochs that an exception ends in the given iteration."""

    def step(engine):
        if engine.state.iteration == iteration:
            raise Stop

    training = Training(folder, epochs=4, **settings)
    training.trainer.add_event_handler(Events.ITERATION_STARTED, step)
    with contextlib.suppress(Stop):
        training.run()
    return training


def same(first, second):
    """Whether two states agree to the last bit."""
    pairs = zip(first["weights"], second["weights"], strict=True)
    return first["numbers"] == second["numbers"] and all(torch.equal(a, b) for a, b in pairs)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--curves", action="store_true")
    parser.add_argument("--epochs", type=int, default=6)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    logging.getLogger("ignite").setLevel(logging.WARNING)
    torch.set_num_threads(1)
    training = Training(options.folder, resume=options.resume, epochs=options.epochs, curves=options.curves).run()
    torch.save(training.state(), Path(options.folder) / "state.pt")


if __name__ == "__main__":
    main()
