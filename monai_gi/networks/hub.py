"""A folder of pretrained weights: a local one, one in the Hugging Face cache, or one fetched now; fails in seconds.

The cache is asked before the network. The hub is asked once, with a short limit: its own client repeats each request
five times, which costs a machine without network 23 s a file.
"""

import re
from pathlib import Path

from monai_gi.networks.init_weights import UnavailableError, first_line

CONFIG_FILE = "config.json"
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")  # in the order of preference
HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
ANSWER_WITHIN_S = 3.0


def weights_folder(source: str) -> Path:
    """Find or fetch the folder with `config.json` and the weights.

    Args:
        source: a local folder, or a name on the hub such as `nvidia/mit-b0`.

    Returns:
        The folder.

    Raises:
        UnavailableError: no such folder, not cached and not to be fetched; the text is the reason.
    """
    local = Path(source).expanduser()
    if local.is_dir():
        return local
    if not HUB_NAME.fullmatch(source):
        raise UnavailableError("no such folder")
    return _cached(source) or _fetched(source)


def _cached(name: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    config, *weights = (try_to_load_from_cache(name, file) for file in (CONFIG_FILE, *WEIGHT_FILES))
    is_whole = isinstance(config, str) and any(isinstance(path, str) for path in weights)
    return Path(str(config)).parent if is_whole else None


def _fetched(name: str) -> Path:
    from huggingface_hub import HfApi, hf_hub_download

    try:
        files = {sibling.rfilename for sibling in HfApi().model_info(name, timeout=ANSWER_WITHIN_S).siblings or ()}
        weights = next((file for file in WEIGHT_FILES if file in files), None)
        if weights is None:
            raise UnavailableError(f"the hub has no {' or '.join(WEIGHT_FILES)} under this name")
        hf_hub_download(name, weights)
        return Path(hf_hub_download(name, CONFIG_FILE)).parent
    except UnavailableError:
        raise
    except Exception as error:  # whatever the network does to an HTTP client is a reason, not a crash
        raise UnavailableError(first_line(error)) from error
