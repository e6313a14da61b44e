"""Wall time of an epoch of a bundle's trainer over a bare PyTorch loop: same network, loss, optimizer and batches.

Run from the repository's root: `python -m benchmarks.train_step`. The trainer is that of `bundles/segformer/train.json`
with its handlers, train metric and checkpoint; batches lie in memory, and neither side augments or validates.
The sides take turns step by step; the ratio is the median over epochs.
"""

import argparse
import itertools
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from ignite.engine import Events
from monai.bundle import ConfigParser
from monai.engines import Workflow, default_prepare_batch

ROOT = Path(__file__).parents[1]


def drawn_batches(count: int, shape: tuple[int, int, int, int]) -> list[dict[str, torch.Tensor]]:
    """Random images (B, 3, H, W) in 0..1 and masks (B, 3, H, W) of a tenth of the pixels."""
    random = torch.Generator().manual_seed(0)
    batch, _, *size = shape
    return [
        {
            "image": torch.rand(shape, generator=random),
            "label": (torch.rand(batch, 3, *size, generator=random) > 0.9).float(),
        }
        for _ in range(count)
    ]


def bundle_parts(config: str, output_dir: str, batches: list, epochs: int, device: str) -> ConfigParser:
    """The bundle's config with the batches in memory in place of its data."""
    parser = ConfigParser(globals={"drawn_batches": batches, "take_as_it_is": default_prepare_batch})
    parser.read_config(config)
    nothing = {"_target_": "monai.data.Dataset", "data": []}
    changes = {
        "output_dir": output_dir,
        "device": device,
        "max_epochs": epochs,
        "batch_size": len(batches[0]["image"]),
        "init_weights": "",
        "items": [],
        "val_interval": 10**6,
        "train#dataset": nothing,
        "train#sampler": None,
        "train#dataloader": "$drawn_batches",
        "train#augmentation": "$take_as_it_is",
        "validate#dataset": nothing,
        "validate#dataloader": [],
        "validate#handlers": [],
    }
    for key, value in changes.items():
        parser[key] = value
    return parser


class BareLoop:
    """What one would write by hand; `step` is one batch of it."""

    def __init__(self, parser: ConfigParser, batches: list, device: str) -> None:
        parts = ("network", "loss", "optimizer", "lr_scheduler")
        self.network, self.loss, self.optimizer, self.schedule = map(parser.get_parsed_content, parts)
        self.batches = itertools.cycle(batches)
        self.device = device
        self.total = torch.zeros((), device=device)

    def step(self) -> None:
        batch = next(self.batches)
        image, label = (batch[key].to(self.device) for key in ("image", "label"))
        self.network.train()
        self.optimizer.zero_grad()
        loss = self.loss(self.network(image), label)
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        self.total += loss.detach()


class Turns:
    """After each of the trainer's steps a bare one, as a busy machine slows both; epochs' ends are the trainer's."""

    # `epochs` holds, for each, the seconds on the clock and on the CPU, of the trainer, then of the loop.

    def __init__(self, bare: BareLoop) -> None:
        self.bare = bare
        self.epochs: list[np.ndarray] = []
        self.spent = np.zeros((2, 2))
        self.mark = _clocks()

    def attach(self, trainer: Workflow) -> None:
        trainer.add_event_handler(Events.STARTED, self._listen)

    def _listen(self, trainer: Workflow) -> None:
        """Last of all handlers, those included that attach as the trainer starts."""
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self._take_turn)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._end_epoch)
        self.mark = _clocks()

    def _take_turn(self) -> None:
        self._charge(0)
        self.bare.step()
        self._charge(1)

    def _end_epoch(self) -> None:
        self._charge(0)
        self.epochs.append(self.spent)
        self.spent = np.zeros((2, 2))

    def _charge(self, side: int) -> None:
        if self.bare.total.is_cuda:
            torch.cuda.synchronize()
        now = _clocks()
        self.spent[side] += now - self.mark
        self.mark = now


def _clocks() -> np.ndarray:
    return np.array([time.perf_counter(), time.process_time()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default=str(ROOT / "bundles" / "segformer" / "train.json"))
    parser.add_argument("--batches", type=int, default=12, help="an epoch")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--size", type=int, default=288, help="height and width")
    parser.add_argument("--epochs", type=int, default=6, help="the first warms up and is not counted")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    batches = drawn_batches(options.batches, (options.batch_size, 3, options.size, options.size))
    with tempfile.TemporaryDirectory() as folder:
        settings = (folder, batches, options.epochs, options.device)
        bare = BareLoop(bundle_parts(options.config, *settings), batches, options.device)
        ours = bundle_parts(options.config, *settings)
        trainer = ours.get_parsed_content("train#trainer")
        turns = Turns(bare)
        ours.get_parsed_content("checkpoint").attach(trainer, ours.get_parsed_content("validate#evaluator"))
        turns.attach(trainer)
        trainer.run()
    report(np.stack(turns.epochs[1:]), options)


def report(epochs: np.ndarray, options: argparse.Namespace) -> None:
    """Print each epoch (N, side, clock) and the median ratios."""
    for (ours, _), (bare, _) in epochs:
        print(f"trainer {ours:7.2f} s   bare loop {bare:7.2f} s   ratio {ours / bare:.3f}")
    wall, cpu = np.median(epochs[:, 0] / epochs[:, 1], axis=0)
    work = f"{options.batches} batches of {options.batch_size} slices, {options.size} px, {options.device}"
    print(
        f"{work}, {torch.get_num_threads()} threads: median ratio {wall:.3f} (CPU time {cpu:.3f}), wanted at most 1.05"
    )


if __name__ == "__main__":
    main()
