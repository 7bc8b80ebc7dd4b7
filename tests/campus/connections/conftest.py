"""What all tests of connections have in common."""

import pytest


@pytest.fixture(autouse=True)
def loopback(settings) -> None:
    settings.CONNECTION_NETWORKS = ["127.0.0.0/8"]
