"""A real evaluator over drawn scans: non-square, unevenly spaced, overlapping organs, predictions as the test likes."""

import numpy as np
import torch
from ignite.engine import Events
from monai.data import DataLoader, Dataset, MetaTensor
from monai.engines import SupervisedEvaluator

SPACING_MM = (1.5, 2.0, 3.0)
SIZE = (12, 9)
DEPTH = 4
AFFINE = np.array([[0, -2.0, 0, 0], [-1.5, 0, 0, 0], [0, 0, -3.0, 0], [0, 0, 0, 1]])


def draw_masks(shift=0, depth=DEPTH):
    """(3, 12, 9, D) bool: large bowel everywhere, small bowel over it on slices 1 and 2, no stomach."""
    masks = np.zeros((3, *SIZE, depth), dtype=bool)
    masks[0, 2 + shift : 6 + shift, 1:7] = True
    masks[1, 4 + shift : 9 + shift, 3:5, 1:3] = True
    return masks


def draw_item(scan="case1_day0", depth=DEPTH, *, label=True):
    """A scan item as the index gives it; slice numbers start at 1."""
    numbers = list(range(1, depth + 1))
    item = {
        "id": scan,
        "group": scan.split("_")[0],
        "image": [f"{scan}/slice_{number:04d}.png" for number in numbers],
        "slices": numbers,
        "slice_ids": [f"{scan}_slice_{number:04d}" for number in numbers],
        "size": list(SIZE),
        "spacing_mm": list(SPACING_MM),
    }
    return item | ({"label": [{} for _ in numbers]} if label else {})


def loaded(item, *, label=None):
    """The item after preprocessing: image (1, H, W, D) with its affine, label (3, H, W, D)."""
    depth = len(item["slices"])
    ramp = torch.linspace(0, 1, SIZE[0] * SIZE[1] * depth).reshape(1, *SIZE, depth)
    ready = {**item, "image": MetaTensor(ramp, affine=torch.as_tensor(AFFINE))}
    ready.pop("label", None)
    return ready | ({} if label is None else {"label": torch.as_tensor(label.astype(np.uint8))})


def evaluate(handler, items, preds, truths=None, *, postprocessing=None, stop_after=None, network=None):
    """Run a SupervisedEvaluator whose network answers with `preds`, one a scan; the handler is attached."""
    truths = truths or [None] * len(items)
    data = [loaded(item, label=truth) for item, truth in zip(items, truths, strict=True)]
    answers = iter(preds)

    def infer(inputs, network):
        return torch.as_tensor(next(answers).astype(np.float32))[None]

    evaluator = SupervisedEvaluator(
        device="cpu",
        val_data_loader=DataLoader(Dataset(data), batch_size=1),
        network=network or torch.nn.Identity(),
        inferer=infer,
        postprocessing=postprocessing or (lambda scan: scan),
        val_handlers=[handler],
    )
    if stop_after is not None:
        evaluator.add_event_handler(Events.ITERATION_COMPLETED(once=stop_after), _pull_the_plug)
    evaluator.run()
    return evaluator


def _pull_the_plug():
    raise KeyboardInterrupt
