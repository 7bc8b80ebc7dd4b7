"""What all tests share."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photographs and clips: ROLLCALL_SHARED, or shared/data beside the repository."""
    folder = Path(os.environ.get("ROLLCALL_SHARED", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the test data is not there: {folder} (set ROLLCALL_SHARED)")
    return folder
