"""The entry of a Hugging Face Space: the app with `bundle.zip` beside this file, behind a password."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from monai_gi.app import AUTH_VARIABLE, AppRequest, auth_of, serve
from monai_gi.errors import DataError

BUNDLE = Path(__file__).with_name("bundle.zip")


def request_of(environment: Mapping[str, str]) -> AppRequest:
    """What the Space's settings ask for.

    Args:
        environment: MONAI_GI_APP_AUTH, a secret of the Space, is "user:password"; GRADIO_SERVER_PORT is 7860 unless
            it is set; SPACE_HOST is the Space's own address, which Hugging Face sets.

    Returns:
        The app for everybody who knows the password; without `bundle.zip` it shows examples only.

    Raises:
        DataError: no such secret, or one without a colon.
    """
    auth = auth_of(environment)
    if auth is None:
        repair = "Add it under Settings, Variables and secrets, as USER:PASSWORD; then restart the Space"
        raise DataError(AUTH_VARIABLE, f"this secret is not set, and everybody could use the Space. {repair}")
    return AppRequest(
        bundle=BUNDLE if BUNDLE.exists() else None,
        host="0.0.0.0",  # noqa: S104 - everybody may come, who knows the password
        port=int(environment.get("GRADIO_SERVER_PORT", "7860")),
        auth=auth,
        max_upload_megabytes=200,
        public_host=environment.get("SPACE_HOST"),
    )


if __name__ == "__main__":
    try:
        serve(request_of(os.environ))
    except DataError as fault:
        sys.exit(f"error: {fault}")
    except KeyboardInterrupt:
        sys.exit(130)
