from typing import Any

from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured
from django.db.models.signals import post_delete, post_migrate, post_save
from django.utils.translation import gettext_lazy


class AcademicsConfig(AppConfig):
    name = "campus.academics"
    verbose_name = gettext_lazy("Teaching")

    def ready(self) -> None:
        from campus.academics.calendar_links import delete_calendar_links
        from campus.accounts.signals import access_ended

        for signal in (post_save, post_delete):
            signal.connect(roster_changed, sender="academics.Enrolment", dispatch_uid="roster_changed")
        access_ended.connect(delete_calendar_links, dispatch_uid="delete_calendar_links")
        post_migrate.connect(update_number_keys, sender=self, dispatch_uid="update_number_keys")


def roster_changed(instance: Any, **_: Any) -> None:
    """An enrolment came, changed or went, in whatever way: also with its student."""
    from campus.academics.models import Course
    from campus.academics.services import mark_rosters_changed

    mark_rosters_changed(courses=Course.objects.filter(pk=instance.course_id))


def update_number_keys(using: str, **_: Any) -> None:
    """Follow a change of ROLLCALL_STUDENT_NUMBERS_CASE_SENSITIVE."""
    from campus.academics.models import Student
    from campus.common.keys import number_key

    students = Student.objects.using(using)
    numbers: dict[str, str] = {}
    stale = {}
    for pk, number, stored_key in students.values_list("pk", "number", "number_key"):
        key = number_key(number)
        if key in numbers:
            raise ImproperlyConfigured(
                f"There are students with the numbers {numbers[key]} and {number}. Change one of the numbers, or set "
                "ROLLCALL_STUDENT_NUMBERS_CASE_SENSITIVE=true, then migrate again."
            )
        numbers[key] = number
        if key != stored_key:
            stale[pk] = key
    for pk, key in stale.items():
        students.filter(pk=pk).update(number_key=key)
