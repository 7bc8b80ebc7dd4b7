"""Whether the server has all that it needs, for administrators who have no other monitor."""

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from campus.accounts.roles import is_administrator
from campus.common.periodic_tasks import PERIODIC_JOBS, SWEEP
from campus.operations.checks import QUICK_CHECKS, State
from campus.operations.selectors import count_jobs, schedule_lateness

# The word and the colour of a state's chip.
CHIPS = {
    State.OK: (gettext_lazy("in order"), "success"),
    State.WARNING: (gettext_lazy("please look"), "warning"),
    State.PROBLEM: (gettext_lazy("broken"), "danger"),
}


def may_see_system(request: HttpRequest) -> bool:
    """Whether the page is in the menu."""
    return is_administrator(request.user)


@require_safe
def system_page(request: HttpRequest) -> HttpResponseBase:
    """What is broken comes first."""
    if not may_see_system(request):
        raise PermissionDenied
    found = [(check, check.run()) for check in QUICK_CHECKS]
    labels = {job.name: job.label for job in PERIODIC_JOBS} | {SWEEP.name: _("Send lost jobs again")}
    order = [State.PROBLEM, State.WARNING, State.OK]
    context = {
        **admin.site.each_context(request),
        "title": _("System"),
        "lines": [
            {"title": check.title, "finding": finding, "chip": CHIPS[finding.state]}
            for check, finding in sorted(found, key=lambda pair: order.index(pair[1].state))
        ],
        "jobs": [job for job in count_jobs() if job.waiting or job.running],
        "schedules": [(schedule, labels.get(schedule.name, schedule.name)) for schedule in schedule_lateness()],
    }
    return TemplateResponse(request, "admin/rollcall/system.html", context)
