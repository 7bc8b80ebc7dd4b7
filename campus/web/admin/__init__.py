"""The registrar's admin. It shows all apps at once, so it lives above them; it writes through their services."""

from django.contrib import admin
from django_celery_beat import models as beat

from campus.web.admin import attendance, classes, documents, lectures, photos, pieces, recordings, sources, staff, students, timetable

__all__ = ["attendance", "classes", "documents", "lectures", "photos", "pieces", "recordings", "sources", "staff", "students", "timetable"]

# Made by the program, nothing for people: the schedule.
for model in (
    beat.ClockedSchedule,
    beat.CrontabSchedule,
    beat.IntervalSchedule,
    beat.PeriodicTask,
    beat.SolarSchedule,
):
    if admin.site.is_registered(model):
        admin.site.unregister(model)
