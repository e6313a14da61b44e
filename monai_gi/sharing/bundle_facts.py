"""What a bundle claims about itself in metadata.json, and how its versions agree with what is installed here."""

import importlib.metadata
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from monai_gi.sharing.findings import NOTE, WRONG, Finding

PACKAGES = {"monai_version": "monai", "pytorch_version": "torch", "numpy_version": "numpy"}


@dataclass(frozen=True)
class Claims:
    """What metadata.json says.

    Attributes:
        name: the bundle's short name.
        version: its version.
        title: the name in words.
        modality: of the images, such as "MR".
        channels: what it segments, in channel order.
        intended_use: in its own words.
        task: in its own words.
    """

    name: str = ""
    version: str = ""
    title: str = "nothing could be read"
    modality: str = ""
    channels: tuple[str, ...] = field(default=())
    intended_use: str = ""
    task: str = ""

    def lines(self) -> list[str]:
        """The claims, one a line; what is not claimed is said to be so."""
        organs = [channel for channel in self.channels if channel != "background"]
        return [
            f"bundle: {self.name or 'unknown'}, version {self.version or 'unknown'}",
            f"task: {self.task or 'not said'}",
            f"reads: {self.modality or 'modality not said'}; segments: {', '.join(organs) or 'not said'}",
            f"intended use: {self.intended_use or 'not said'}",
        ]


def claims_of(metadata: Any, name: str) -> Claims:
    """Read the claims.

    Args:
        metadata: parsed metadata.json, or None; anything may be missing or of another kind.
        name: the bundle's short name.

    Returns:
        The claims; empty where nothing is said.
    """
    channels = _inside(metadata, "network_data_format", "outputs", "pred", "channel_def")
    pairs = channels.items() if isinstance(channels, Mapping) else ()
    return Claims(
        name=name,
        version=_text(metadata, "version"),
        title=_text(metadata, "name") or name,
        modality=_text(metadata, "network_data_format", "inputs", "image", "modality"),
        channels=tuple(str(value) for _, value in sorted(pairs, key=lambda pair: (len(str(pair[0])), str(pair[0])))),
        intended_use=_text(metadata, "intended_use"),
        task=_text(metadata, "task"),
    )


def fact_findings(file: str, metadata: Any) -> list[Finding]:
    """Compare versions, and say what is not claimed.

    Args:
        file: name of metadata.json, for messages.
        metadata: its parsed content, or None where it is missing.

    Returns:
        Wrong: no metadata, no version, a package that the bundle needs in a newer major version than is installed.
        Notes: other differences, missing packages, claims that are absent.
    """
    if not isinstance(metadata, Mapping):
        return [Finding(WRONG, file, "is not there or is no object; it says what the bundle is for.")]
    findings = [] if _text(metadata, "version") else [Finding(WRONG, file, "has no version of the bundle.")]
    for what, keys in {
        "what it segments (channel_def)": ("network_data_format", "outputs", "pred", "channel_def"),
        "the modality of its images": ("network_data_format", "inputs", "image", "modality"),
        "its intended use": ("intended_use",),
    }.items():
        if not _inside(metadata, *keys):
            findings.append(Finding(NOTE, file, f"does not say {what}."))
    wanted = {package: metadata.get(key) for key, package in PACKAGES.items()}
    required = metadata.get("required_packages_version")
    wanted |= required if isinstance(required, Mapping) else {}
    return [*findings, *_version_findings(file, wanted)]


def _version_findings(file: str, wanted: Mapping[str, Any]) -> Iterator[Finding]:
    for package, version in wanted.items():
        numbers = _numbers(version)
        if not numbers:
            yield Finding(NOTE, file, f"does not say which version of {package} it was made with.")
            continue
        try:
            installed = importlib.metadata.version(str(package))
        except (importlib.metadata.PackageNotFoundError, ValueError):
            yield Finding(NOTE, file, f"needs {package} {version}, which is not installed.")
            continue
        found = _numbers(installed)
        if numbers[0] > found[0]:
            text = f"needs {package} {version}; installed is {installed}, an older major version."
            yield Finding(WRONG, file, text)
        elif numbers != found[: len(numbers)]:
            yield Finding(NOTE, file, f"was made with {package} {version}; installed is {installed}.")


def _numbers(version: Any) -> tuple[int, ...]:
    """(1, 6, 1) of "1.6.1+cpu"; empty where it does not begin with a number."""
    match = re.match(r"\d{1,6}(\.\d{1,6})*", version) if isinstance(version, str) else None
    return tuple(map(int, match[0].split("."))) if match else ()


def _inside(content: Any, *keys: str) -> Any:
    for key in keys:
        content = content.get(key) if isinstance(content, Mapping) else None
    return content


def _text(content: Any, *keys: str) -> str:
    value = _inside(content, *keys)
    return value if isinstance(value, str) else ""
