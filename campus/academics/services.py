"""Everything that writes classes and lectures."""

from datetime import datetime

from django.db import IntegrityError, transaction

from campus.academics.models import Course, Lecture
from campus.errors import UserError


def lecture_create(*, course: Course, starts_at: datetime, ends_at: datetime, title: str = "", room: str = "") -> Lecture:
    """A meeting of a class. Raises UserError where it ends before it starts, or the class has one at that time."""
    if ends_at <= starts_at:
        raise UserError("The lecture ends before it starts. Set a later end.")
    try:
        with transaction.atomic():
            return Lecture.objects.create(course=course, starts_at=starts_at, ends_at=ends_at, title=title, room=room)
    except IntegrityError as error:
        raise UserError("This class has a lecture at that time already. Open that one, or choose another time.") from error
