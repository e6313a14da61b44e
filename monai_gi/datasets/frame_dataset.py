"""Frames for training and for judging, decoded once and kept in memory as bytes.

Items come out as `image` (3, h, w) uint8 RGB and `label` (1, h, w) uint8 of 0 and 1, rows first; 256 steps are what the
files hold, so nothing is lost, and `monai_gi.augmentation.BatchAugmentation` brings them to float32 in 0..1.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.functional import interpolate
from torch.utils.data import Dataset
from tqdm import tqdm

from monai_gi.datasets.fixed_transform import Transform, fixed_transform, transformed
from monai_gi.errors import DataError, DataErrors

MOST_THREADS = 16
KEPT_KEYS = ("id", "group", "size")
"""What of an item goes with its pixels."""


class Frame(NamedTuple):
    """Pixels of one frame.

    Attributes:
        image: (3, h, w) uint8 RGB.
        label: (C, h, w) uint8 of 0 and 1; None where the item has none.
    """

    image: np.ndarray
    label: np.ndarray | None


class FrameDataset(Dataset):
    """Frames with their masks, as stored or resized, of which a share is held in memory.

    Frames are resized bilinearly, with a wider kernel where pixels get fewer, each side by itself; a mask's pixel is
    inside where at least half of it is. `monai_gi.inferers.FrameInferer` resizes frames in the same way.

    Args:
        data: frame items: `image`, perhaps `label`, both as the transform takes them.
        transform: deterministic MONAI pipeline on one item, or a list of transforms: `image` path to (3, H, W) of whole
            numbers 0 to 255, `label` path to (C, H, W) of 0 and 1.
        roi_size: (h, w) of what comes out; None leaves each frame its own size.
        cache_rate: share of the frames, 0 to 1, decoded now and kept: h * w * (3 + C) bytes each.
        progress: show a bar with the end time while decoding.

    Raises:
        DataErrors: all frames that can not be decoded, or whose image and mask do not fit.
        ValueError: `cache_rate` or `roi_size` is out of range, or the transform has a random part.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        transform: Transform | Sequence[Transform],
        *,
        roi_size: Sequence[int] | None = None,
        cache_rate: float = 1.0,
        progress: bool = True,
    ) -> None:
        if not 0 <= cache_rate <= 1:
            raise ValueError(f"cache_rate: {cache_rate}, wanted a share from 0 to 1")
        if roi_size is not None and (len(roi_size) != 2 or min(roi_size) < 1):
            raise ValueError(f"roi_size: {tuple(roi_size)}, wanted (height, width) in pixels")
        self.data = data
        self.transform = fixed_transform(transform)
        self.roi_size = None if roi_size is None else (int(roi_size[0]), int(roi_size[1]))
        self._held = self._decode_all(range(round(cache_rate * len(data))), progress)

    def _decode_all(self, indices: range, progress: bool) -> list[Frame]:
        """Decode the first frames, several at a time: Pillow lets go of the interpreter."""
        frames: list[Frame] = []
        faults: list[DataError] = []
        with ThreadPoolExecutor(min(os.cpu_count() or 1, MOST_THREADS)) as pool:
            work = pool.map(self._frame_or_fault, indices)
            try:
                for one in tqdm(work, "decoding", len(indices), unit="frame", disable=None if progress else True):
                    if isinstance(one, DataError):
                        faults.append(one)
                    else:
                        frames.append(one)
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        if faults:
            raise DataErrors("frames", faults)
        return frames

    def _frame_or_fault(self, index: int) -> Frame | DataError:
        try:
            return self._frame(index)
        except DataError as fault:
            return fault

    def _frame(self, index: int) -> Frame:
        frame = decode(self.data[index], self.transform)
        return frame if self.roi_size is None else resize(frame, self.roi_size)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One frame.

        Args:
            index: of the item in `data`.

        Returns:
            `image` (3, h, w) uint8, `label` (C, h, w) uint8 where there is one, and `id`, `group`, `size` of the item.

        Raises:
            DataError: a frame that is not held can not be decoded.
        """
        index = range(len(self))[index]
        frame = self._held[index] if index < len(self._held) else self._frame(index)
        pixels = {"image": frame.image} | ({} if frame.label is None else {"label": frame.label})
        item = self.data[index]
        return {key: item[key] for key in KEPT_KEYS if key in item} | {
            key: torch.from_numpy(array) for key, array in pixels.items()
        }


def decode(item: Mapping[str, Any], transform: Transform) -> Frame:
    """Run the transform on one item and bring its result to bytes.

    Args:
        item: a frame item.
        transform: gives `image` (3, H, W) with whole values 0 to 255 and `label` (C, H, W) of 0 and 1.

    Returns:
        The frame at its own size.

    Raises:
        DataError: a file is faulty, or what came is no such image or mask, or the two differ in size.
    """
    where = str(item.get("id", item["image"]))
    result = transformed(item, transform)
    image = _bytes(where, "image", result["image"], 255)
    if len(image) != 3:
        raise DataError(where, f"image has shape {image.shape} after the transform, wanted (3, H, W)")
    if "label" not in result:
        return Frame(image, None)
    label = _bytes(where, "label", result["label"], 1)
    if label.shape[1:] != image.shape[1:]:
        sizes = " and ".join("x".join(map(str, array.shape[1:])) for array in (label, image))
        raise DataError(where, f"mask and frame are {sizes} (height x width), one size was wanted. Is it its mask?")
    return Frame(image, label)


def resize(frame: Frame, size: tuple[int, int]) -> Frame:
    """Bring a frame to a size, as `FrameDataset` says.

    Args:
        frame: of any size.
        size: (h, w).

    Returns:
        The frame itself where it has the size.
    """
    if frame.image.shape[1:] == size:
        return frame
    label = None if frame.label is None else _resized(frame.label, size) >= 0.5
    return Frame(np.rint(_resized(frame.image, size)).astype(np.uint8), None if label is None else label.view(np.uint8))


def _resized(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    tensor = torch.from_numpy(array)[None].float()
    resized = interpolate(tensor, size, mode="bilinear", align_corners=False, antialias=True)
    return resized[0].numpy()


def _bytes(where: str, name: str, values: Any, highest: int) -> np.ndarray:
    """(C, H, W) as uint8, once it is sure that nothing is lost."""
    array = np.asarray(values)
    if array.ndim != 3 or 0 in array.shape:
        raise DataError(where, f"{name} has shape {array.shape} after the transform, wanted (C, H, W)")
    small = array.astype(np.uint8) if array.min() >= 0 and array.max() <= highest else None
    if small is None or not np.array_equal(small, array):
        found = f"{name} holds {array.min()} to {array.max()} of {array.dtype} after the transform"
        raise DataError(where, f"{found}, wanted whole numbers 0 to {highest}. Leave scaling to the augmentation")
    return np.ascontiguousarray(small)
