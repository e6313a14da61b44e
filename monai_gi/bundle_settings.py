"""Plain values of a bundle's `inference.json` as a frozen dataclass: read, checked, replaced, written alike for all."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from monai_gi.errors import DataError

Settings = TypeVar("Settings", bound="BundleSettings")


@dataclass(frozen=True, kw_only=True)
class BundleSettings:
    """What prediction on one kind of image reads of a config; lists may be given and become tuples.

    Attributes:
        NEEDED: ids that a config must have, others may be left to their defaults; None for all of them.
    """

    NEEDED: ClassVar[tuple[str, ...] | None] = None

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, list):
                object.__setattr__(self, field.name, tuple(value))

    @classmethod
    def from_config(cls: type[Settings], config: Mapping[str, Any]) -> Settings:
        """Take the settings out of a bundle's config.

        Args:
            config: `inference.json` as read, of which the ids of this class' attributes are used.

        Returns:
            The settings.

        Raises:
            DataError: an id of `NEEDED` is missing, or a value does not do.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        needed = names if cls.NEEDED is None else cls.NEEDED
        if missing := [name for name in needed if name not in config]:
            raise DataError(
                "inference.json", f"lacks {', '.join(missing)}; wanted {', '.join(needed)} at its top level"
            )
        try:
            return cls(**{name: config[name] for name in names if name in config})
        except (TypeError, ValueError) as error:
            raise DataError("inference.json", f"can not be used for prediction: {error}") from error

    def replace(self: Settings, **changes: Any) -> Settings:
        """The same settings with other values.

        Args:
            **changes: values by attribute.

        Returns:
            New settings, checked again.
        """
        return dataclasses.replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        """The values by name, as for a JSON file."""
        return dataclasses.asdict(self)
