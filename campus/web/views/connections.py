"""The page of what is exchanged with other systems, and what people may do there: test, run, stop, preview a roster,
upload a zip.
"""

from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count, Prefetch
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from campus.academics.models import FileImport
from campus.accounts.roles import is_administrator
from campus.common.errors import UserError
from campus.common.site_address import site_address
from campus.connections.adapters import RosterAdapter, adapter_for
from campus.connections.lti.registration import LINK_LIFETIME, create_registration_link
from campus.connections.marks import retry_failed_marks
from campus.connections.models import Connection, ConnectionRun
from campus.connections.quota import used_calls
from campus.connections.runs import request_everything, request_run
from campus.connections.selectors import connections_for, links_for, links_with_counts, runs_for
from campus.connections.services import switch
from campus.connections.uploaded_zips import apply_zip, takes_zips, upload_zip, waiting_previews
from campus.web.connection_counts import count_texts
from campus.web.views import StaffRequest

CONNECTIONS_PER_PAGE: Final = 20
SHOWN_RUNS: Final = 6
SHOWN_LINKS: Final = 50  # those first that a person has to look at
ZIP_TASKS: Final = (ConnectionRun.Task.PREVIEW, ConnectionRun.Task.ZIP)

may_see = permission_required("connections.view_connection", raise_exception=True)
may_change = permission_required("connections.change_connection", raise_exception=True)


class ZipForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("Zip file"), allow_empty_file=True, widget=forms.FileInput(attrs={"accept": ".zip"})
    )


def links_by_hand(connection: Connection) -> bool:
    """Whether people link its classes; registries and calendars do so by themselves, thousands of them."""
    return isinstance(adapter_for(connection.kind), RosterAdapter)


@require_safe
@login_required
@may_see
def connections(request: StaffRequest) -> HttpResponse:
    """Each connection with its state, its classes, what waits and what failed, and its last exchanges."""
    runs = runs_for(request.user).select_related("link__course", "file_import").defer("file_import__content")
    rows = (
        connections_for(request.user)
        .annotate(link_count=Count("links", distinct=True))
        .prefetch_related(
            Prefetch("links", links_with_counts(request.user)[:SHOWN_LINKS], to_attr="shown_links"),
            Prefetch("runs", runs.order_by("-started_at")[:SHOWN_RUNS], to_attr="shown_runs"),
        )
    )
    page = Paginator(rows.order_by("name"), CONNECTIONS_PER_PAGE).get_page(request.GET.get("page"))
    cards = [_card(row) for row in page]
    context = {"page": page, "cards": cards, "is_administrator": is_administrator(request.user)}
    return render(request, "web/connections.html", context)


def _card(connection: Any) -> dict[str, Any]:
    runs = connection.shown_runs
    return {
        "connection": connection,
        "calls": used_calls(connection, timezone.now()),
        "by_hand": links_by_hand(connection),
        "takes_zips": takes_zips(connection),
        "links": connection.shown_links,
        "more_links": connection.link_count - len(connection.shown_links),
        "runs": [(run, count_texts(run.counts), _preview_address(run)) for run in runs],
        "is_busy": any(run.state == ConnectionRun.State.QUEUED for run in runs),
    }


def _preview_address(run: ConnectionRun) -> str:
    """Of what the exchange has fetched; empty without that."""
    if run.file_import is None:
        return ""
    if run.link:
        return reverse("course-roster-preview", args=[run.link.course_id, run.file_import.pk])
    is_roster = run.file_import.kind == FileImport.Kind.ROSTER
    name = "academics_student_preview" if is_roster else "academics_lecture_calendar_preview"
    return reverse(f"admin:{name}", args=[run.file_import.pk])


@require_POST
@login_required
@may_change
def test(request: StaffRequest, pk: UUID) -> HttpResponse:
    """Have a worker try the connection, changing nothing."""
    connection = get_object_or_404(connections_for(request.user), pk=pk)
    request_run(connection=connection, task=ConnectionRun.Task.CHECK, user=request.user)
    return redirect("connections")


@require_POST
@login_required
@may_change
def run(request: StaffRequest, pk: UUID) -> HttpResponse:
    """Have everything exchanged now that is exchanged at night."""
    connection = get_object_or_404(connections_for(request.user), pk=pk)
    request_everything(connection=connection, user=request.user)
    return redirect("connections")


@require_POST
@login_required
@may_change
def switch_connection(request: StaffRequest, pk: UUID) -> HttpResponse:
    """The stop switch. Only administrators switch one on: people sign in by it."""
    connection = get_object_or_404(connections_for(request.user), pk=pk)
    if not connection.active and not is_administrator(request.user):
        raise PermissionDenied
    try:
        switch(connection=connection, active=not connection.active, user=request.user)
    except UserError as error:
        messages.error(request, str(error))
    return redirect("connections")


@require_POST
@login_required
@may_change
def retry(request: StaffRequest, pk: UUID) -> HttpResponse:
    """Send the marks of a class again that were given up."""
    link = get_object_or_404(links_for(request.user).select_related("connection"), pk=pk)
    n = retry_failed_marks(link=link)
    request_run(connection=link.connection, task=ConnectionRun.Task.MARKS, link=link)
    messages.success(request, ngettext("%(n)d mark is sent again.", "%(n)d marks are sent again.", n) % {"n": n})
    return redirect("connections")


@require_POST
@login_required
@may_change
def fetch_roster(request: StaffRequest, pk: UUID) -> HttpResponse:
    """Fetch the roster of a class, for the preview that an uploaded file has."""
    link = get_object_or_404(links_for(request.user).select_related("connection"), pk=pk)
    request_run(connection=link.connection, task=ConnectionRun.Task.ROSTER, link=link, user=request.user)
    return redirect("connections")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@may_change
def upload(request: StaffRequest, pk: UUID) -> HttpResponse:
    """A POST uploads a zip of a registry, which a worker reads; the page says what it would change."""
    connection = get_object_or_404(connections_for(request.user), pk=pk)
    if not takes_zips(connection):
        messages.error(request, _("This connection is not fed by zips."))
        return redirect("connections")
    form = ZipForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        try:
            upload_zip(connection=connection, file=form.cleaned_data["file"], user=request.user)
        except UserError as error:
            form.add_error("file", str(error))
        else:
            return redirect("connection-zip", pk)
    run = runs_for(request.user).filter(connection=connection, task__in=ZIP_TASKS).select_related("file_import").first()
    context = {
        "connection": connection,
        "form": form,
        "run": run,
        "texts": count_texts(run.counts) if run else [],
        "address": _preview_address(run) if run else "",
        "may_apply": run is not None and waiting_previews(connection).filter(pk=run.pk).exists(),
    }
    return render(request, "web/connection_zip.html", context, status=400 if form.errors else 200)


@require_POST
@login_required
@may_change
def apply_upload(request: StaffRequest, pk: UUID) -> HttpResponse:
    """Have a worker do what the preview says."""
    connection = get_object_or_404(connections_for(request.user), pk=pk)
    preview = waiting_previews(connection).first()
    if preview is None or str(preview.pk) != request.POST.get("run"):
        messages.error(request, _("This preview was already applied, or has expired. Upload the zip again."))
    else:
        try:
            apply_zip(preview=preview, user=request.user)
        except UserError as error:
            messages.error(request, str(error))
    return redirect("connection-zip", pk)


@require_POST
@login_required
@may_change
def register_platform(request: StaffRequest) -> HttpResponse:
    """An address by which one platform may register within a day; it is shown this once."""
    if not is_administrator(request.user):
        raise PermissionDenied
    secret = create_registration_link(user=request.user)
    site = site_address(request)
    context = {
        "address": site + reverse("lti-registration", args=[secret]),
        "hours": int(LINK_LIFETIME.total_seconds() // 3600),
        "by_hand": [
            (_("Tool URL"), site + reverse("lti-launch")),
            (_("Initiate login URL"), site + reverse("lti-login")),
            (_("Redirection URI"), site + reverse("lti-launch")),
            (_("Public keyset URL"), site + reverse("lti-keys")),
        ],
    }
    return render(request, "web/connection_registration.html", context)
