"""The registrar's admin. It shows all apps at once, so it lives above them; it writes through their services."""

from campus.web.admin import (
    attendance,
    cameras,
    classes,
    documents,
    enrolments,
    footage_files,
    lectures,
    photos,
    recordings,
    schedule,
    sign_in,
    sources,
    staff,
    students,
    terms,
    timetable,
)

__all__ = [
    "attendance",
    "cameras",
    "classes",
    "documents",
    "enrolments",
    "footage_files",
    "lectures",
    "photos",
    "recordings",
    "schedule",
    "sign_in",
    "sources",
    "staff",
    "students",
    "terms",
    "timetable",
]
