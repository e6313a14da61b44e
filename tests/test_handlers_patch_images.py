"""Pictures of patches in TensorBoard: those with most classes, the same at each validation."""

import io

import numpy as np
import torch
from monai.engines import SupervisedEvaluator
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.data import DataLoader

from monai_gi.augmentation import SlideAugmentation
from monai_gi.handlers import PatchImagesHandler
from monai_gi.handlers.event_files import close_event_writers

CLASSES = ("background", "tubule", "vessel", "infiltrate")


def patch(*classes):
    """A patch (6, 24, 32) with stripes of the given classes; the image is grey."""
    label = torch.tensor(classes, dtype=torch.uint8).repeat_interleave(-(-32 // len(classes)))[:32].repeat(24, 1)
    return {"image": torch.full((6, 24, 32), 0.5), "label": label}


def pictures_of(folder, patches, batch_size=2, epochs=(1, 2), **settings):
    """{tag: [(step, picture), ...]} after validations in the given epochs."""
    evaluator = SupervisedEvaluator(
        device="cpu",
        val_data_loader=DataLoader(patches, batch_size=batch_size),
        network=torch.nn.Conv2d(6, settings.pop("outputs", 4), 1),
        prepare_batch=SlideAugmentation(augment=False),
        decollate=False,
        val_handlers=[PatchImagesHandler(folder, **settings)],
    )
    for epoch in epochs:
        evaluator.run(epoch)
    close_event_writers(folder)
    events = EventAccumulator(str(folder / "validation"), size_guidance={"images": 0})
    events.Reload()
    return {
        tag: [(e.step, np.asarray(Image.open(io.BytesIO(e.encoded_image_string)))) for e in events.Images(tag)]
        for tag in events.Tags()["images"]
    }


def test_the_most_varied_patch_of_each_batch_returns_at_every_validation(tmp_path):
    patches = [patch(0), patch(0, 1, 2), patch(1, 0), patch(0), patch(0, 1, 2, 3), patch(0, 1, 2)]
    pictures = pictures_of(tmp_path, patches, classes=CLASSES)
    assert {tag: [step for step, _ in found] for tag, found in pictures.items()} == {
        "patch_00001": [1, 2],
        "patch_00004": [1, 2],
    }


def test_there_are_no_more_than_asked_for_and_they_show_colours(tmp_path):
    pictures = pictures_of(
        tmp_path, [patch(0, 1, 2)] * 5, batch_size=1, epochs=(1,), classes=CLASSES, count=2, upscale=2
    )
    assert list(pictures) == ["patch_00000", "patch_00001"]
    picture = pictures["patch_00000"][0][1].astype(int)
    assert picture.shape[1] >= 3 * 64
    assert (np.ptp(picture, axis=2) > 60).sum() > 50, "outlines in colour on a grey patch"


def test_two_classes_are_enough_where_there_are_only_two(tmp_path):
    pictures = pictures_of(tmp_path, [patch(0), patch(0, 1)], classes=CLASSES[:2], outputs=2)
    assert list(pictures) == ["patch_00001"]
