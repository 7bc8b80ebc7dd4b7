"""Folders of each test's own."""

from tests.campus.conftest import own_folders

__all__ = ["own_folders"]
