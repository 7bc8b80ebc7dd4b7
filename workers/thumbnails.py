"""Makes small pictures of photos that wait until somebody says whose they are."""

from campus.biometrics.models import WaitingPhoto
from campus.biometrics.photo_waiting import finish_thumbnail
from campus.common import jobs
from campus.common.storage import MediaFile
from workers.leased_task import leased_task


@leased_task(jobs.THUMBNAIL)
def make_thumbnail(photo: WaitingPhoto) -> None:
    from recognition.pipeline import read_thumbnail

    finish_thumbnail(photo=photo, jpeg=read_thumbnail(MediaFile(str(photo.file.name))))
