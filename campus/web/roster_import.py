"""The import of a roster that a worker has read: its preview with what a person decides, and the import itself."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campus.academics.file_contents import TableFormat
from campus.academics.file_imports import delete_file_import, read_again, table_of
from campus.academics.models import Course, FileImport
from campus.academics.roster_columns import FIELDS, guess_columns
from campus.academics.roster_import import import_roster
from campus.academics.roster_plan import RosterPlan, RowChange, plan_roster
from campus.attendance.roster_changes import recordings_before_enrolment
from campus.common.errors import UserError
from campus.web.roster_forms import ColumnsForm, FormatForm, ImportForm

MAX_ROWS_PER_TABLE = 100
MAX_LINKED_RECORDINGS = 80  # in one address


@dataclass(slots=True, kw_only=True)
class RosterPreview:
    """What the page of an import shows. `plan` and `decisions` are None where the file can't be imported as it is."""

    course: Course | None
    problem: str
    doubtful_texts: list[str]
    format_form: FormatForm
    form: ColumnsForm
    plan: RosterPlan | None = None
    decisions: ImportForm | None = None
    is_imported: bool = False
    is_read_again: bool = False


def may_import(request: HttpRequest) -> bool:
    """Whether the user may import rosters."""
    return request.user.has_perms(["academics.add_student", "academics.change_student", "academics.change_enrolment"])


def preview_roster(request: HttpRequest, row: FileImport) -> RosterPreview:
    """What the import would change, with the columns given in the URL. A POST imports, or has the file read in another
    format.
    """
    table = table_of(row)
    format_form = FormatForm(request.POST if "format" in request.POST else None, table=table)
    chosen = {field: request.GET[field] for field in FIELDS if field in request.GET}
    guessed = {field: str(index) for field, index in guess_columns(table.headers).items()}
    form = ColumnsForm(chosen or guessed, table=table)
    preview = RosterPreview(
        course=row.course,
        problem=str(row.error),
        doubtful_texts=list(table.doubtful_texts),
        format_form=format_form,
        form=form,
    )
    if format_form.is_valid():
        read_again(row=row, table_format=TableFormat(**format_form.cleaned_data))
        preview.is_read_again = True
    elif form.is_valid() and not preview.problem:
        try:
            preview.plan = plan_roster(table, form.columns(), row.course)
            is_import = request.method == "POST" and not format_form.is_bound
            decisions = preview.decisions = ImportForm(request.POST if is_import else None, plan=preview.plan)
            if decisions.is_valid():
                start, same_people = decisions.cleaned_data.get("start"), decisions.same_people()
                complete = decisions.cleaned_data["complete"]
                preview.plan = plan_roster(table, form.columns(), row.course, start=start, same_people=same_people)
                done = import_roster(
                    table=table,
                    columns=form.columns(),
                    course=row.course,
                    start=start,
                    same_people=same_people,
                    complete=complete,
                    accept_departures=decisions.cleaned_data["accept_departures"],
                )
                delete_file_import(row=row)
                messages.success(request, _success_message(done, complete))
                changed = [*done.enrolments_new, *done.enrolments_changed]
                offer_to_look_again(request, {enrolment.course_id for enrolment in changed})
                preview.is_imported = True
        except UserError as error:
            preview.problem = str(error)
    return preview


def offer_to_look_again(request: HttpRequest, courses: Collection[int]) -> None:
    """Say which recordings of these classes were counted before all students were enrolled, and how to repeat that."""
    recordings = recordings_before_enrolment(courses)
    if not recordings:
        return
    text = ngettext(
        "%(n)d recording was counted before all of these students were enrolled. To look for them in it, add their "
        "photos, then select it and choose “Take attendance again”:",
        "%(n)d recordings were counted before all of these students were enrolled. To look for them in these, add "
        "their photos, then select them and choose “Take attendance again”:",
        len(recordings),
    ) % {"n": len(recordings)}
    query = {"id__in": ",".join(str(recording.pk) for recording in recordings[:MAX_LINKED_RECORDINGS])}
    url = reverse("admin:recordings_recording_changelist", query=query)
    messages.warning(request, format_html('{} <a href="{}">{}</a>', text, url, _("Recordings")))


def _success_message(plan: RosterPlan, complete: bool) -> str:
    parts = [_("%(n)d new") % {"n": len(plan.new)}, _("%(n)d changed") % {"n": len(plan.changed)}]
    if complete:
        parts.append(_("%(n)d ended") % {"n": len(plan.leaving)})
    return _("Roster imported: %(what)s, %(n)d unchanged.") % {"what": ", ".join(parts), "n": plan.unchanged}


def preview_tables(plan: RosterPlan, render_badge: Callable[[str, str], SafeString]) -> list[dict[str, Any]]:
    """The tables of the preview: rows with errors, new students, changes, answers about consent, and
    enrolments that would end."""
    headers = [_("Row"), _("Student number"), _("Name"), _("Class")]
    return [
        _preview_table(
            ngettext("%(n)d row can't be imported", "%(n)d rows can't be imported", len(plan.errors))
            % {"n": len(plan.errors)},
            [_("Row"), _("Student number"), _("Name"), _("Reason")],
            [[row.line, row.number, row.name, " ".join(row.reasons)] for row in plan.errors[:MAX_ROWS_PER_TABLE]],
            len(plan.errors),
        ),
        _preview_table(
            _("%(n)d new") % {"n": len(plan.new)},
            [*headers, ""],
            [
                [
                    *_row_cells(row),
                    render_badge(_("new student"), "success")
                    if row.new_student
                    else render_badge(_("joins the class"), "info"),
                ]
                for row in plan.new[:MAX_ROWS_PER_TABLE]
            ],
            len(plan.new),
        ),
        _preview_table(
            _("%(n)d changed") % {"n": len(plan.changed)},
            [*headers, _("Changes")],
            [[*_row_cells(row), _describe_changes(row)] for row in plan.changed[:MAX_ROWS_PER_TABLE]],
            len(plan.changed),
        ),
        _preview_table(
            ngettext("%(n)d answer about consent", "%(n)d answers about consent", len(plan.answers))
            % {"n": len(plan.answers)},
            [_("Row"), _("Student number"), _("Name"), _("Changes")],
            [
                [row.line, row.student.number, row.student.name, f"{row.known or '-'} → {row.answer}"]
                for row in plan.answers[:MAX_ROWS_PER_TABLE]
            ],
            len(plan.answers),
        ),
        _preview_table(
            _("%(n)d not in the file") % {"n": len(plan.leaving)},
            [_("Student number"), _("Name"), _("Class")],
            [[row.student.number, row.student.name, row.course.code] for row in plan.leaving[:MAX_ROWS_PER_TABLE]],
            len(plan.leaving),
        ),
    ]


def _row_cells(row: RowChange) -> list[object]:
    return [row.line, row.student.number, row.student.name, row.course.code if row.course else ""]


def _describe_changes(row: RowChange) -> str:
    return "; ".join(f"{FIELDS[name]}: {old or '-'} → {new or '-'}" for name, old, new in row.changes)


def _preview_table(
    title: str, headers: Sequence[object], rows: Iterable[Sequence[object]], count: int
) -> dict[str, Any]:
    return {
        "title": title,
        "table": {"headers": headers, "rows": list(rows)},
        "count": count,
        "more": max(count - MAX_ROWS_PER_TABLE, 0),
    }
