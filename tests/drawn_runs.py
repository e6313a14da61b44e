"""Training runs as a bundle leaves them, without training: settings, curves, scores of scans, frames or slides."""

import json

import numpy as np
import pandas as pd
from PIL import Image

from monai_gi.labels import POLYP_NAMES, TISSUE_NAMES
from monai_gi.metrics import score_frame, score_scan, write_scores
from monai_gi.metrics.slide_tables import SlideScore, confusion_rows, slide_rows, summarise_slides

SHAPE = (3, 14, 18, 6)  # not square
SPACING_MM = (1.5, 2.0, 3.0)


def draw_truth(number):
    """Large bowel on slices 1 to 4, small bowel on 2 and 3, stomach on 0 in every third scan only."""
    truth = np.zeros(SHAPE, bool)
    truth[0, 3:9, 2 + number % 3 : 12, 1:5] = True
    truth[1, 6:12, 4:9, 2:4] = True
    if number % 3 == 0:
        truth[2, 1:5, 3:8, 0] = True
    return truth


def draw_pred(number, shift):
    """The truth moved by `shift` rows, one more in every second scan; scan 0 gets stomach all over where shift is 2."""
    pred = np.roll(draw_truth(number), shift + number % 2, axis=1)
    if shift == 2:
        pred[2] = False
        pred[2, :2, :2, 5] = number == 1
    return pred


def draw_scans(scans=8, shift=1):
    """Scores of scans of half as many cases."""
    return [
        score_scan(
            f"case{number // 2 + 1}_day{number % 2}",
            f"case{number // 2 + 1}",
            draw_pred(number, shift),
            draw_truth(number),
            spacing_mm=SPACING_MM,
            slice_ids=[f"case{number // 2 + 1}_day{number % 2}_slice_{d + 1:04d}" for d in range(SHAPE[-1])],
        )
        for number in range(scans)
    ]


def draw_frames(frames=12, shift=1):
    """Scores of frames of three sequences; every fifth has no polyp, frame 5 gets one all the same."""
    scores = []
    for number in range(frames):
        truth = np.zeros((1, 20, 26), bool)
        truth[0, 4:12, 5:15] = number % 5 != 0
        pred = np.roll(truth, shift + number % 2, axis=1)
        pred[0, :3, :3] |= number == 5
        scores.append(score_frame(f"cvc_{number:04d}", f"sequence_{number % 3}", pred, truth, classes=POLYP_NAMES))
    return scores


def draw_slides(slides=3):
    """Scores of slides; nobody has an infiltrate."""
    rng = np.random.default_rng(5)
    counts = rng.integers(1, 60, (slides, 6, 6)) + 400 * np.eye(6, dtype=int)
    counts[:, 5], counts[:, :, 5] = 0, 0
    return [SlideScore(f"slide_{number}", f"patient_{number}", one) for number, one in enumerate(counts)]


def write_evaluation(folder, *, scores=None, overlays=("worst", "median", "best")):
    """What evaluate.json leaves; slides' where the scores are of slides."""
    scores = draw_scans() if scores is None else scores
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(scores[0], SlideScore):
        summary = summarise_slides(scores, TISSUE_NAMES)
        (folder / "summary.json").write_text(json.dumps(summary))
        pd.DataFrame(slide_rows(scores, TISSUE_NAMES)).to_csv(folder / "slides.csv", index=False)
        pd.DataFrame(confusion_rows(scores, TISSUE_NAMES)).to_csv(folder / "confusion.csv", index=False)
        overlays = [score.slide for score in scores]
    else:
        write_scores(scores, folder, bootstrap=200)
    for number, name in enumerate(overlays):
        picture = Image.linear_gradient("L").resize((240, 160 + number)).convert("RGB")
        path = folder / "overlays" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        picture.save(path)


def write_settings(folder, *, name="segformer", weights="random", data="c0ffee", **settings):
    """What SettingsHandler leaves."""
    report = {
        "settings": {"bundle": name, "dataset_dir": "phantom", "fold": 0, "folds": 5, "max_epochs": 6, "seed": 0}
        | settings,
        "overrides": {"max_epochs": "6"},
        "network": {"name": "HuggingFaceSegmenter", "parameters": 3_714_915, "init_weights": weights},
        "data": {
            "train": {"items": 96, "slices": 96, "cases": 8, "sha256": data * 10},
            "validation": {"items": 8, "slices": 48, "cases": 4, "sha256": "beef" * 16},
        },
        "device": "cpu, 2 threads",
        "versions": {"python": "3.11.7", "monai_gi": "0.1.0", "torch": "2.13.0"},
        "command": "python -m monai.bundle run training --config_file train.json",
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.json").write_text(json.dumps(report))


def write_curves(folder, epochs=6, best=None):
    """TensorBoard's files as CurvesHandler leaves them."""
    from torch.utils.tensorboard import SummaryWriter

    for side, better in (("train", 0.1), ("validation", 0.0)):
        writer = SummaryWriter(str(folder / side), purge_step=1)
        for epoch in range(1, epochs + 1):
            writer.add_scalar("loss", 1.5 / epoch - better, epoch)
            for tag in ("mean", "large_bowel", "small_bowel", "stomach"):
                writer.add_scalar(f"dice/{tag}", 1 - 0.8 / epoch - 0.1 + better, epoch)
            if side == "validation":
                writer.add_scalar("best/epoch", best or epoch, epoch)
        writer.close()


def write_run(folder, *, scores=None, curves=True, **settings):
    """A whole run, judged."""
    write_settings(folder, **settings)
    cost = {"seconds": 754.0, "epochs": 6, "slices": 576, "peak_memory_bytes": 896_630_784, "peak_gpu_bytes": 0}
    (folder / "cost.json").write_text(json.dumps(cost))
    write_evaluation(folder / "evaluation", scores=scores)
    if curves:
        write_curves(folder / "tensorboard")
    return folder
