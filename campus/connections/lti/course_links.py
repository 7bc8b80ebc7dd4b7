"""Which class a course there is: an instructor who has come from it says so, and with that the exchange begins."""

from typing import Any, Final

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from campus.academics.models import Course, Student
from campus.academics.selectors import current_courses_for
from campus.common.errors import UserError
from campus.connections.lti.launch import AGS, CLAIM, NRPS, Launch
from campus.connections.lti.platform_services import LINE_ITEM_SCOPE
from campus.connections.models import MAX_REMOTE_ID_LENGTH, Connection, ConnectionRun, CourseLink, RemotePerson
from campus.connections.runs import request_run

MAX_URL_LENGTH: Final = 1000


def context_of(launch: Launch) -> dict[str, Any]:
    """The course there, and what the platform offers for it: `id`, `name`, and the `settings` of its link."""
    context, ags = launch.part(f"{CLAIM}context"), launch.part(AGS)
    members, line_items = launch.part(NRPS).get("context_memberships_url"), ags.get("lineitems")
    scopes = [str(scope)[:200] for scope in ags.get("scope") or ()][:20]
    names = [str(context.get(name) or "") for name in ("label", "title")]
    settings = {"members_url": members, "line_items_url": line_items, "scopes": scopes}
    if not (line_items and LINE_ITEM_SCOPE in scopes):  # the platform has made the only one that we may write to
        settings["line_item_url"] = ags.get("lineitem")
    return {
        "id": str(context.get("id") or "")[:MAX_REMOTE_ID_LENGTH],
        "name": " ".join(filter(None, dict.fromkeys(names)))[:255],
        "settings": {
            name: value
            for name, value in settings.items()
            if value and (not isinstance(value, str) or len(value) <= MAX_URL_LENGTH)
        },
    }


def find_link(launch: Launch) -> CourseLink | None:
    """The link of the course that the launch comes from. What an instructor's launch offers is kept."""
    context = context_of(launch)
    links = CourseLink.objects.filter(connection=launch.connection, remote_id=context["id"], course__isnull=False)
    link = links.first()
    if link and launch.is_instructor:
        kept = link.settings.get("line_item_url")
        link.settings = {**({"line_item_url": kept} if kept else {}), **context["settings"]}
        link.remote_name = context["name"]
        link.save(update_fields=["settings", "remote_name"])
    return link


@transaction.atomic
def link_course(*, user: User, connection: Connection, context: dict[str, Any], course: Course) -> CourseLink:
    """Link the course there with a class of the user's, and fetch its roster. Raises UserError."""
    if not current_courses_for(user).filter(pk=course.pk).exists():
        raise UserError("This class is not yours.")
    link, is_new = CourseLink.objects.get_or_create(
        connection=connection,
        remote_id=context["id"],
        defaults={
            "course": course,
            "remote_name": context["name"],
            "settings": context["settings"],
        },
    )
    if not is_new:
        if link.course:
            raise UserError("This course is linked with {course} already.", course=link.course)
        link.course, link.takes_roster, link.marks_changed_at = course, True, timezone.now()
        link.remote_name, link.settings = context["name"], link.settings | context["settings"]
        link.save(update_fields=["course", "takes_roster", "marks_changed_at", "remote_name", "settings"])
    request_run(connection=connection, task=ConnectionRun.Task.ROSTER, link=link)
    return link


def note_student(launch: Launch, student: Student) -> None:
    """Note which student has come, so that marks reach the student also where the platform sends no roster."""
    RemotePerson.objects.update_or_create(
        connection=launch.connection,
        remote_id=launch.claims["sub"],
        defaults={"number_key": student.number_key, "student": student},
    )
    CourseLink.objects.filter(
        connection=launch.connection, remote_id=context_of(launch)["id"], sends_marks=True
    ).update(marks_changed_at=timezone.now())
