"""Every test has its own folders."""

from pathlib import Path

import pytest

from campus.common.storage import mark_storage
from tests.servers.rtsp import rtsp_camera

__all__ = ["rtsp_camera"]


@pytest.fixture(autouse=True)
def own_folders(settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.REPORTS_DIR = tmp_path / "Reports"
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path / "uploads")
    for folder in ("media", "Reports", "uploads"):
        (tmp_path / folder).mkdir()
    mark_storage()
