"""Pipelines whose result is kept: no random part may stand in them, and a fault of the data comes out as itself."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from monai.transforms import Compose, RandomizableTrait

from monai_gi.errors import DataError

Transform = Callable[[Any], Any]


def fixed_transform(transform: Transform | Sequence[Transform]) -> Transform:
    """Take a pipeline that gives the same result each time.

    Args:
        transform: MONAI pipeline on one item, or a list of transforms.

    Returns:
        One callable.

    Raises:
        ValueError: it has a random part, which would be frozen.
    """
    composed = transform if callable(transform) else Compose(list(transform))
    parts = composed.flatten().transforms if isinstance(composed, Compose) else [composed]
    is_random = [type(part).__name__ for part in parts if isinstance(part, RandomizableTrait)]
    if is_random:
        raise ValueError(
            f"transform: {', '.join(is_random)} is random, but the store keeps what it gives the first time"
        )
    return composed


def transformed(item: Mapping[str, Any], transform: Transform) -> Any:
    """Run a pipeline on a copy of one item.

    Args:
        item: of a datalist.
        transform: MONAI pipeline.

    Returns:
        What the pipeline returns.

    Raises:
        DataError: a fault of the data, which MONAI had wrapped into an error about its transform.
        RuntimeError: any other fault.
    """
    try:
        return transform(dict(item))
    except RuntimeError as error:
        if fault := _data_error(error):
            raise fault from error
        raise


def _data_error(error: BaseException | None) -> DataError | None:
    while error is not None and not isinstance(error, DataError):
        error = error.__cause__
    return error
