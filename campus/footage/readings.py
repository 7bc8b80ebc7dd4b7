"""How the files of a source are read: by its path pattern, its time zone, and how far its clock is off."""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext as _

from campus.footage import patterns
from campus.footage.models import Camera, Source


@dataclass(frozen=True, slots=True)
class Reading:
    """What the path of a file says. `starts_at` and `ends_at` are by our clock; `note` says in words what can't be told."""

    camera: Camera | None
    starts_at: datetime | None
    ends_at: datetime | None
    note: str


class Reader:
    """Reads the paths of one source. Raises UserError where its pattern is wrong."""

    def __init__(self, source: Source) -> None:
        self.pattern = patterns.compile(source.pattern)
        self.zone: tzinfo = ZoneInfo(source.time_zone) if source.time_zone else timezone.get_default_timezone()
        self._ahead = timedelta(seconds=source.clock_offset)
        self._cameras = {camera.label.casefold(): camera for camera in source.cameras.select_related("room")}

    def read(self, path: str) -> Reading:
        fields = self.pattern.match(path, self.zone)
        if fields is None:
            return Reading(None, None, None, _("The path does not fit the source's pattern."))
        camera = self._cameras.get(fields.label.casefold())
        starts, ends = (moment and moment - self._ahead for moment in (fields.starts, fields.ends))
        if camera is None and fields.label:
            note = _("The source has no camera called “%(label)s”.") % {"label": fields.label[:100]}
        elif camera is None:
            note = _("Nothing says which camera it is.")
        elif starts is None:
            note = _("Nothing says when it was recorded.")
        else:
            note = ""
        return Reading(camera, starts, ends, note)
