"""Read a bundle's JSON and YAML configs without MONAI, strictly, and walk over every string in them.

Convention: an item's id is its keys joined with `::` as monai.bundle writes it (`+key` merges, `a#b` is `a::b`); for
messages it is a JSON pointer behind the file, `configs/train.json#/train/handlers/0`.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from monai_gi.errors import DataError

LARGEST_CONFIG_BYTES = 1 << 20
DEEPEST = 60
MOST_ITEMS = 200_000
CONFIG_SUFFIXES = (".json", ".yaml", ".yml")


class Item(NamedTuple):
    """One value of a config.

    Attributes:
        file: the config, relative to the bundle.
        keys: the way to the value, list indices included.
        value: dict, list, string, number, bool or None.
    """

    file: str
    keys: tuple[str, ...]
    value: Any

    @property
    def where(self) -> str:
        """File and JSON pointer, for messages."""
        return self.file + "#" + "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in self.keys)

    @property
    def id(self) -> str:
        """What MONAI calls it: `a::b::0`, without the sign that merges files."""
        return "::".join(key.replace("#", "::") for key in self.keys).removeprefix("+")

    @property
    def name(self) -> str:
        """The last part of the id: the name of an argument."""
        return self.id.rpartition("::")[2]


def read_config(file: str, data: bytes) -> tuple[Any, list[str]]:
    """Read one config as data; nothing in it is evaluated.

    Args:
        file: its name, for its suffix (.json, .yaml, .yml) and for messages.
        data: its content.

    Returns:
        The content, and the keys that stand twice in one object (readers differ in which of them they take).

    Raises:
        DataError: it is too large, too deep or no valid JSON or YAML in UTF-8, or PyYAML is missing.
    """
    if len(data) > LARGEST_CONFIG_BYTES:
        raise DataError(file, f"has {len(data)} bytes; a config has {LARGEST_CONFIG_BYTES} at most.")
    doubled: list[str] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        counts = Counter(key for key, _ in pairs)
        doubled.extend(key for key, count in counts.items() if count > 1)
        return dict(pairs)

    is_json = file.lower().endswith(".json")
    try:
        text = data.decode()
        content = json.loads(text, object_pairs_hook=collect) if is_json else _read_yaml(file, text)
    except (ValueError, RecursionError) as error:
        raise DataError(file, f"cannot be read as {'JSON' if is_json else 'YAML'}: {error}.") from error
    return content, doubled


def items(file: str, content: Any) -> Iterator[Item]:
    """Every value of a config, the whole first.

    Args:
        file: its name for messages.
        content: parsed JSON or YAML.

    Yields:
        Item: objects and lists before what is in them.

    Raises:
        DataError: it is deeper or longer than any config, or contains itself.
    """
    waiting = [Item(file, (), content)]
    count = 0
    while waiting:
        item = waiting.pop()
        count += 1
        if len(item.keys) > DEEPEST or count > MOST_ITEMS:
            raise DataError(
                file, f"is deeper than {DEEPEST} levels or has more than {MOST_ITEMS} values; no config is."
            )
        yield item
        if isinstance(item.value, (dict, list)):
            pairs = list(item.value.items() if isinstance(item.value, dict) else enumerate(item.value))
            waiting.extend(Item(file, (*item.keys, str(key)), value) for key, value in reversed(pairs))


def _read_yaml(file: str, text: str) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise DataError(file, "a YAML config cannot be checked without PyYAML: pip install pyyaml.") from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise DataError(file, f"cannot be read as YAML: {error}.") from error
