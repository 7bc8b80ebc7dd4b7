"""Writes terms, classes, lecturers and rosters as a zip of OneRoster 1.2's CSV files, for other systems."""

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from campus.academics.models import Course, Enrolment, Student
from campus.academics.selectors import CURRENT
from campus.accounts.institution import institution_name
from campus.audit.models import Action
from campus.audit.services import record_event
from campus.common.csv_cells import guard_cell

ORG = "institution"
# The columns of the standard; those of which nothing is known stay empty.
COLUMNS = {
    "orgs": "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId",
    "academicSessions": "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear",
    "courses": "sourcedId,status,dateLastModified,schoolYearSourcedId,title,courseCode,grades,orgSourcedId,subjects,"
    "subjectCodes",
    "classes": "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,"
    "schoolSourcedId,termSourcedIds,subjects,subjectCodes,periods",
    "users": "sourcedId,status,dateLastModified,enabledUser,username,userIds,givenName,familyName,middleName,"
    "identifier,email",
    "roles": "sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId",
    "enrollments": "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,"
    "beginDate,endDate",
}
ABSENT = (
    *("categories", "classResources", "courseResources", "demographics", "lineItems", "lineItemLearningObjectiveIds"),
    *("lineItemScoreScales", "resources", "resultLearningObjectiveIds", "results", "resultScoreScales", "scoreScales"),
    *("userProfiles", "userResources"),
)

Row = dict[str, object]


def write_zip() -> bytes:
    """All classes of a term that are not archived, complete (bulk). It is noted in the audit log."""
    courses = list(Course.objects.filter(CURRENT, term__isnull=False).select_related("term").order_by("code"))
    enrolments = Enrolment.objects.filter(course__in=courses, student__guest=False, student__erased_at=None)
    students = Student.objects.filter(pk__in=enrolments.values("student"))
    lecturers = {user.pk: user for course in courses for user in course.lecturers.filter(is_active=True)}
    terms = {course.term.pk: course.term for course in courses if course.term}
    students_and_staff = [
        *(
            {
                "sourcedId": f"student-{row.pk}",
                "username": row.number,
                "identifier": row.number,
                "givenName": row.given_name,
                "familyName": row.surname or row.name.removeprefix(row.given_name).strip(),
                "email": row.email,
            }
            for row in students
        ),
        *(
            {
                "sourcedId": f"staff-{user.pk}",
                "username": user.username,
                "givenName": user.first_name,
                "familyName": user.last_name,
                "email": user.email,
            }
            for user in lecturers.values()
        ),
    ]
    rows: dict[str, list[Row]] = {
        "orgs": [{"sourcedId": ORG, "name": institution_name(), "type": "school", "identifier": ORG}],
        "academicSessions": [
            {
                "sourcedId": f"term-{term.pk}",
                "title": term.name,
                "type": "term",
                "startDate": term.first_day,
                "endDate": _day_after(term.last_day),
                "schoolYear": term.last_day.year,
            }
            for term in terms.values()
        ],
        "courses": [
            {"sourcedId": f"course-{row.pk}", "title": row.name, "courseCode": row.code, "orgSourcedId": ORG}
            for row in courses
        ],
        "classes": [
            {
                "sourcedId": f"class-{row.pk}",
                "title": row.name,
                "courseSourcedId": f"course-{row.pk}",
                "classCode": row.code,
                "classType": "scheduled",
                "schoolSourcedId": ORG,
                "termSourcedIds": f"term-{row.term_id}",
            }
            for row in courses
        ],
        "users": [{"enabledUser": "true", **row} for row in students_and_staff],
        "roles": [
            {
                "sourcedId": f"role-of-{row['sourcedId']}",
                "userSourcedId": row["sourcedId"],
                "roleType": "primary",
                "role": "student" if "identifier" in row else "teacher",
                "orgSourcedId": ORG,
            }
            for row in students_and_staff
        ],
    }
    learning: list[Row] = [
        {
            "sourcedId": f"enrolment-{row.pk}",
            "classSourcedId": f"class-{row.course_id}",
            "userSourcedId": f"student-{row.student_id}",
            "role": "student",
            "beginDate": row.valid_from,
            "endDate": _day_after(row.valid_to) if row.valid_to else "",
        }
        for row in enrolments
    ]
    teaching: list[Row] = [
        {
            "sourcedId": f"teaching-{course.pk}-{user.pk}",
            "classSourcedId": f"class-{course.pk}",
            "userSourcedId": f"staff-{user.pk}",
            "role": "teacher",
        }
        for course in courses
        for user in course.lecturers.all()
        if user.pk in lecturers
    ]
    rows["enrollments"] = [{**row, "schoolSourcedId": ORG, "primary": "false"} for row in [*learning, *teaching]]
    properties = {"manifest.version": "1.0", "oneroster.version": "1.2"}
    properties |= {f"file.{name}": "absent" for name in ABSENT} | {f"file.{name}": "bulk" for name in COLUMNS}
    properties |= {"source.systemName": "Rollcall", "source.systemCode": "rollcall"}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        manifest: list[Row] = [{"propertyName": name, "value": value} for name, value in properties.items()]
        archive.writestr("manifest.csv", _csv(["propertyName", "value"], manifest))
        for name, columns in COLUMNS.items():
            archive.writestr(f"{name}.csv", _csv(columns.split(","), rows[name]))
    record_event(None, Action.EXPORTED_STUDENT, about="rosters as OneRoster files")
    return buffer.getvalue()


def _day_after(day: date) -> date:
    """What the standard calls the end."""
    return min(day, date.max - timedelta(days=1)) + timedelta(days=1)


def _csv(columns: Sequence[str], rows: Iterable[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: guard_cell(str(cell)) for name, cell in row.items()} for row in rows)
    return text.getvalue()
