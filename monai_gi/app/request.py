"""What a user asks of `monai-gi app`, checked before anything is opened."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from monai_gi.errors import DataError

LARGEST_PORT = 65535
AUTH_VARIABLE = "MONAI_GI_APP_AUTH"


def auth_of(environment: Mapping[str, str]) -> str | None:
    """Name and password from the environment, which other users of the machine do not see as they see options.

    Args:
        environment: such as `os.environ`.

    Returns:
        "user:password"; None where it is not set or empty.
    """
    return environment.get(AUTH_VARIABLE) or None


@dataclass(frozen=True)
class AppRequest:
    """What a user asked for; see `monai-gi app --help`.

    Attributes:
        bundle: a folder of bundles/, a packed folder or a packed .zip; None shows examples and uploads only.
        weights: for a bundle that brings none.
        host: address to listen at; anything but this machine itself needs `auth`.
        port: 0 takes a free one.
        auth: "user:password" that everybody has to give.
        max_upload_megabytes: of one upload.
        max_pixels: largest picture that is decoded whole, and most voxels of a scan; None takes the defaults.
        device: "auto", "cpu", "cuda" or "cuda:N".
        trust: run a bundle although the inspection warns.
        key: public key of the bundle's signer, PEM; a bundle that it did not sign is refused.
        public_host: name by which a server in front is called that does not pass it on.

    Raises:
        DataError: a value that can not be used, or an open address without a password.
    """

    bundle: Path | None = None
    weights: Path | None = None
    host: str = "127.0.0.1"
    port: int = 7860
    auth: str | None = None
    max_upload_megabytes: int = 500
    max_pixels: int | None = None
    device: str = "auto"
    trust: bool = False
    key: Path | None = None
    public_host: str | None = None

    def __post_init__(self) -> None:
        if self.bundle is None and self.weights is not None:
            raise DataError("--weights", "given without a bundle. Name the bundle too: --bundle bundles/segformer")
        if self.bundle is None and self.key is not None:
            raise DataError("--key", "given without a bundle. Name the bundle too: --bundle segformer-0.1.0.zip")
        if not 0 <= self.port <= LARGEST_PORT:
            raise DataError("--port", f"{self.port}, wanted 0 (any free one) to {LARGEST_PORT}")
        if self.max_upload_megabytes < 1:
            raise DataError("--max-upload-megabytes", f"{self.max_upload_megabytes}, wanted 1 or more")
        if self.max_pixels is not None and self.max_pixels < 1:
            raise DataError("--max-pixels", f"{self.max_pixels}, wanted 1 or more")
        if self.auth is not None and not all(self.credentials or ()):
            problem = "wanted a name and a password with a colon between"
            raise DataError(f"{AUTH_VARIABLE} or --auth", f"{problem}: reader:SECRET")
        if not self.is_local and self.auth is None:
            problem = f"{self.host} lets other machines in, which needs a password"
            raise DataError("--host", f"{problem}. Set {AUTH_VARIABLE}=USER:PASSWORD, or leave --host out")

    @property
    def credentials(self) -> tuple[str, str] | None:
        """Name and password; None where nobody is asked for them."""
        if self.auth is None:
            return None
        user, _, password = self.auth.partition(":")
        return user, password

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the address."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def max_upload_bytes(self) -> int:
        """The limit of one upload."""
        return self.max_upload_megabytes * 1_000_000
