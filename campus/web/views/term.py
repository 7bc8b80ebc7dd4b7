"""For those who look after all classes: the institution's name, the workers, and the sample class."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from campus.accounts.institution import get_institution, save_institution
from campus.accounts.roles import sees_everything
from campus.attendance.sample_class import create_sample_class, delete_sample_class
from campus.common.errors import UserError
from campus.consent.services import publish_text, set_basis
from campus.web.consent_forms import BasisForm, ConsentTextForm
from campus.web.dashboard import worker_status
from campus.web.forms import InstitutionForm
from campus.web.views import StaffRequest


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def institution(request: StaffRequest) -> HttpResponse:
    """The institution's name, by what right it recognises faces, and what it asks students."""
    if not sees_everything(request.user):
        raise PermissionDenied
    institution = get_institution()
    act = request.POST.get("act", "name") if request.method == "POST" else ""
    form = InstitutionForm(request.POST if act == "name" else None, initial={"name": institution.name})
    basis_form = BasisForm(request.POST if act == "basis" else None, instance=institution)
    text_form = ConsentTextForm(request.POST if act == "text" else None)
    forms = {"form": form, "basis_form": basis_form, "text_form": text_form}
    if not any(each.is_valid() for each in forms.values()):
        return render(request, "web/institution.html", forms, status=400 if act else 200)
    if act == "basis":
        set_basis(user=request.user, **basis_form.cleaned_data)
    elif act == "text":
        publish_text(texts=text_form.texts, user=request.user)
    else:
        save_institution(name=form.cleaned_data["name"])
    messages.success(request, _("Saved."))
    return redirect("institution")


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
