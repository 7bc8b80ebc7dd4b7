"""What the maintenance deletes, and what it keeps."""

import os
import time
from pathlib import Path

import pytest

from tests.campus import factories
from workers.maintenance import LEFTOVER_RETENTION_SECONDS, clean_up


def age(path: Path) -> None:
    old = time.time() - LEFTOVER_RETENTION_SECONDS - 60
    os.utime(path, (old, old))


@pytest.mark.django_db
def test_old_tracks_and_broken_uploads_are_deleted_and_work_in_progress_is_kept(settings) -> None:
    done, fresh, busy = (factories.planned(state=state) for state in ("done", "done", "processing"))
    for recording in (done, fresh, busy):
        factories.tracks_folder(recording).mkdir(parents=True)
        (factories.tracks_folder(recording) / "1.npz").touch()
        recording.segments.update(result="tracks/x.npz")
    age(factories.tracks_folder(done) / "1.npz")
    age(factories.tracks_folder(busy) / "1.npz")
    old, new = (Path(settings.FILE_UPLOAD_TEMP_DIR, name) for name in ("old", "new"))
    old.touch()
    new.touch()
    age(old)
    clean_up()
    assert [factories.tracks_folder(recording).exists() for recording in (done, fresh, busy)] == [False, True, True]
    assert set(done.segments.values_list("result", flat=True)) == {""}
    assert set(busy.segments.values_list("result", flat=True)) == {"tracks/x.npz"}
    assert (old.exists(), new.exists()) == (False, True)
    assert Path(done.file.path).exists()
