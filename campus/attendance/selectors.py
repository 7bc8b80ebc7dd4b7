"""Which attendance and which workbooks a user may see."""

from django.db.models import QuerySet

from campus.academics.selectors import AnyUser, courses_for
from campus.attendance.models import AttendanceRecord, Report, Sighting, UnknownPerson
from campus.footage.selectors import recordings_for


def records_for(user: AnyUser) -> QuerySet[AttendanceRecord]:
    return AttendanceRecord.objects.filter(lecture__course__in=courses_for(user))


def sightings_for(user: AnyUser) -> QuerySet[Sighting]:
    return Sighting.objects.filter(recording__in=recordings_for(user))


def unknown_people_for(user: AnyUser) -> QuerySet[UnknownPerson]:
    return UnknownPerson.objects.filter(recording__in=recordings_for(user))


def reports_for(user: AnyUser) -> QuerySet[Report]:
    return Report.objects.filter(course__in=courses_for(user))
