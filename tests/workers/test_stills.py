"""A whole picture is cut out of the recording once somebody looks for it."""

import io
from pathlib import Path

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.utils import timezone
from PIL import Image

from campus.attendance.models import Still
from campus.attendance.services import STILLS_KEPT, still_wanted
from campus.common.jobs import claim
from campus.recordings.models import Recording
from recognition.media.video import probe
from tests.campus import factories
from tests.recognition import media
from workers.leased_task import attempt
from workers.maintenance import upkeep
from workers.stills import cut_out

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def recording(tmp_path: Path, settings) -> Recording:
    settings.BROKER_URL = "memory://"
    path = media.video(tmp_path / "lecture.mp4", seconds=4)
    info = probe(path)
    facts = {name: getattr(info, name) for name in factories.INFO}
    row = factories.planned(segments=1, info=facts, duration=info.duration, state=Recording.State.DONE)
    row.file.save("lecture.mp4", ContentFile(path.read_bytes()))
    return row


def cut(still: Still) -> Still:
    attempt("rollcall.still", cut_out, claim("rollcall.still", still.pk, "me"))
    still.refresh_from_db()
    return still


def test_the_picture_of_the_moment(recording: Recording, settings) -> None:
    still = cut(still_wanted(recording=recording, time=2.0))
    assert (still.state, still.error) == ("ready", "")
    picture = np.asarray(Image.open(io.BytesIO(Path(settings.MEDIA_ROOT, still.file).read_bytes())))
    assert media.number_of(picture) == 20
    assert still_wanted(recording=recording, time=2.0).pk == still.pk


def test_a_moment_without_a_picture_says_so(recording: Recording) -> None:
    still = cut(still_wanted(recording=recording, time=100.0))
    assert still.state == "failed"
    assert still.error


def test_pictures_of_the_room_are_not_kept_for_ever(recording: Recording, settings) -> None:
    old, new = (cut(still_wanted(recording=recording, time=time)) for time in (1.0, 2.0))
    Still.objects.filter(pk=old.pk).update(published_at=timezone.now() - STILLS_KEPT)
    upkeep()
    assert [Path(settings.MEDIA_ROOT, still.file).exists() for still in (old, new)] == [False, True]
    assert list(Still.objects.all()) == [new]
    assert cut(still_wanted(recording=recording, time=1.0)).state == "ready"
