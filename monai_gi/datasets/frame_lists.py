"""Frames as items with folds, from a datalist or indexed now; the file itself: `datalist_files`."""

import logging
from pathlib import Path
from typing import Any

from monai_gi.datasets.cvc_clinicdb import find_folders, index_cvc_clinicdb
from monai_gi.datasets.cvc_protocols import PROTOCOLS, SEQUENCE, Dealt, deal_out, protocol_warnings
from monai_gi.datasets.datalist_files import DATALIST_NAME, keys_missing, read_datalist, with_joined_paths
from monai_gi.errors import DataError

logger = logging.getLogger(__name__)

ITEM_KEYS = ("id", "group", "image", "label", "size")
_REPAIR = "`monai-gi index cvc-clinicdb DATASET_DIR`"
_PARTS = ("training", "test")


def load_frames(
    dataset_dir: str | Path,
    datalist: str | Path | None = None,
    *,
    folds: int = 5,
    seed: int = 0,
    protocol: str | None = None,
    part: str = "training",
) -> list[dict[str, Any]]:
    """Load frames with folds: from a datalist where there is one, else by indexing the folder now.

    Args:
        dataset_dir: the data set's folder.
        datalist: a file of `monai-gi index cvc-clinicdb`; without it `<dataset_dir>/datalist.json` where present.
        folds: how many to deal out when indexing now; a datalist keeps its own. Fewer sequences give fewer (logged).
        seed: of the dealing; a datalist keeps its own.
        protocol: one of `cvc_protocols.PROTOCOLS`; a datalist of another one is refused. None takes the datalist's,
            and `sequence` when indexing now.
        part: `training` for the frames of all folds, `test` for those that the protocol `random` sets aside.

    Returns:
        Items `{"id", "group", "image", "label", "size", "fold"}`, paths joined with `dataset_dir`; `label` is the
        path of a mask. None of `test` where the protocol sets none aside.

    Raises:
        DataError: the data set is missing (the text tells how to get it) or faulty; the datalist can not be read,
            lacks keys, names files that are gone, or was written by another protocol.
        ValueError: there is no such protocol or part.
    """
    if part not in _PARTS:
        raise ValueError(f"part: {part!r}, wanted one of {', '.join(_PARTS)}")
    if protocol is not None and protocol not in PROTOCOLS:
        raise ValueError(f"protocol: {protocol!r}, wanted one of {', '.join(PROTOCOLS)}")
    root = Path(dataset_dir)
    path = root / DATALIST_NAME if datalist is None else Path(datalist)
    if datalist is None and not path.is_file():
        find_folders(root)
        protocol = protocol or SEQUENCE
        dealt = deal_out(index_cvc_clinicdb(root), protocol, folds=folds, seed=seed)
        logger.info("Indexed %d frames in %s", len(dealt.items) + len(dealt.test), root)
    else:
        dealt, protocol = _read(path, root, protocol)
    for text in protocol_warnings(dealt, protocol):
        logger.warning("%s: %s", root, text)
    return dealt.test if part == "test" else dealt.items


def _read(path: Path, root: Path, protocol: str | None) -> tuple[Dealt, str | None]:
    """The frames of a datalist, and the protocol that it was written by."""
    content = read_datalist(path, f"{_REPAIR[:-1]} --output FILE` writes a good one")
    written = content.get("protocol")
    if None not in (protocol, written) and protocol != written:
        problem = f"was written by the protocol {written}, {protocol} is asked for"
        anew = f"{_REPAIR[:-1]} --protocol {protocol}`, and name its file with --datalist"
        raise DataError(path, f"{problem}. Say `--protocol {written}`, or index anew: {anew}")
    items, test = content["training"], content.get("test") or []
    named = keys_missing(items, (*ITEM_KEYS, "fold")) + keys_missing(test, ITEM_KEYS)
    named += [f"{item['id']} has a label that is no path" for item in [*items, *test] if not _is_frame(item)][:1]
    if named:
        raise DataError(path, f"{'; '.join(named)}. Write it again with {_REPAIR}")
    joined = (with_joined_paths(path, part, root, _REPAIR) for part in (items, test))
    return Dealt(*joined), written


def _is_frame(item: dict[str, Any]) -> bool:
    return "label" not in item or isinstance(item["label"], str)
