from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_delete, post_save
from django.utils.translation import gettext_lazy


class AcademicsConfig(AppConfig):
    name = "campus.academics"
    verbose_name = gettext_lazy("Teaching")

    def ready(self) -> None:
        for signal in (post_save, post_delete):
            signal.connect(roster_changed, sender="academics.Enrolment", dispatch_uid="roster_changed")


def roster_changed(instance: Any, **_: Any) -> None:
    """An enrolment came, changed or went, in whatever way: also with its student."""
    from campus.academics.models import Course
    from campus.academics.services import mark_galleries_outdated

    mark_galleries_outdated(courses=Course.objects.filter(pk=instance.course_id))
