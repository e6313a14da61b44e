"""Shapes and types written in the package are checked while its tests run; real data is found by one variable."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

install_import_hook(
    ["monai_gi.rle", "monai_gi.intensity", "monai_gi.neighbours", "monai_gi.metrics"], "beartype.beartype"
)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real scans; the test is skipped where MONAI_GI_TEST_DATA does not name one."""
    folder = os.environ.get("MONAI_GI_TEST_DATA")
    if not folder:
        pytest.skip("MONAI_GI_TEST_DATA is unset: no real data to test with")
    return Path(folder)
