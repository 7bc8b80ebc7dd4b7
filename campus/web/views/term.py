"""For those who look after all classes: the institution's name, the workers, and the sample class."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from campus.accounts.institution import save_institution
from campus.accounts.models import Institution
from campus.accounts.roles import sees_everything
from campus.attendance.sample_class import create_sample_class, delete_sample_class
from campus.common.errors import UserError
from campus.web.dashboard import worker_status
from campus.web.forms import InstitutionForm
from campus.web.views import StaffRequest


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def institution(request: StaffRequest) -> HttpResponse:
    """The institution's name, for registrars to change."""
    if not sees_everything(request.user):
        raise PermissionDenied
    initial = {"name": Institution.objects.values_list("name", flat=True).first()}
    form = InstitutionForm(request.POST or None, initial=initial)
    if form.is_valid():
        save_institution(name=form.cleaned_data["name"])
        messages.success(request, _("Saved."))
        return redirect("institution")
    return render(request, "web/institution.html", {"form": form}, status=400 if form.errors else 200)


@require_safe
@login_required
def workers(request: StaffRequest) -> HttpResponse:
    """A line of the home that loads on its own, since workers may take a while to answer."""
    if not sees_everything(request.user):
        raise PermissionDenied
    return render(request, "web/_workers.html", worker_status())


@require_POST
@login_required
def create_sample(request: StaffRequest) -> HttpResponse:
    try:
        course = create_sample_class(user=request.user)
    except UserError as error:
        messages.error(request, str(error))
        return redirect("home")
    messages.success(request, _("The sample class is ready. Nobody in it exists; remove it from the first page."))
    return redirect("course", course.pk)


@require_POST
@login_required
def delete_sample(request: StaffRequest) -> HttpResponse:
    delete_sample_class(user=request.user)
    messages.success(request, _("The sample class is removed, with its students and lectures."))
    return redirect("home")
