"""What all tests share."""

import os
from pathlib import Path

import hypothesis
import pytest
from django.utils import translation

# How long an example takes says nothing of the code on a machine that is busy.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")

REPOSITORY = Path(__file__).resolve().parent.parent

# Networks are converted once, not by every test that starts a program.
os.environ.setdefault("ROLLCALL_NETWORK_CACHE_DIR", str(REPOSITORY / "var" / "networks"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With a PostgreSQL of its own only what asks the database: all else is no other there."""
    if os.environ.get("ROLLCALL_TEST_POSTGRES_URL"):
        asks = [
            item
            for item in items
            if {"db", "transactional_db"} & set(getattr(item, "fixturenames", ()))
            or item.get_closest_marker("django_db")
        ]
        config.hook.pytest_deselected(items=[item for item in items if item not in asks])
        items[:] = asks


@pytest.fixture(autouse=True)
def default_language() -> None:
    """What a test before this one said in German does not go on here."""
    translation.deactivate()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photographs and clips: ROLLCALL_SHARED, or shared/data beside the repository."""
    folder = Path(os.environ.get("ROLLCALL_SHARED", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the test data is not there: {folder} (set ROLLCALL_SHARED)")
    return folder
