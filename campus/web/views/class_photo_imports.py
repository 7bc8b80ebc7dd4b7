"""Photos of many students of a class: sent by the script in batches, or as a zip file that a worker reads."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from campus.biometrics.photo_zip import create_photo_import
from campus.biometrics.selectors import photo_imports_for
from campus.common.errors import UserError
from campus.web.class_page import build_class_head
from campus.web.photo_import import build_import_context, handle_choice
from campus.web.photo_upload import ZipFileForm, add_dropped_photos, wants_json
from campus.web.views import StaffRequest
from campus.web.views.class_tabs import check_permission, get_course

MAX_IMPORTS_SHOWN = 5


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def upload_photos(request: StaffRequest, pk: int) -> HttpResponseBase:
    """The form sends a zip file; the script of the class's photos sends single ones, with their paths."""
    course = get_course(request, pk)
    check_permission(request, "biometrics.add_facephoto")
    if wants_json(request):
        return add_dropped_photos(request, course, lambda row: reverse("course-photo-import", args=[pk, row.pk]))
    form = ZipFileForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        file = form.cleaned_data["file"]
        try:
            row = create_photo_import(file=file, name=file.name, course=course, user=request.user)
        except UserError as error:
            form.add_error("file", str(error))
        else:
            return redirect("course-photo-import", pk, row.pk)
    context = {
        "course": course,
        "head": build_class_head(course),
        "tab": "photos",
        "form": form,
        "imports": photo_imports_for(request.user).filter(course=course)[:MAX_IMPORTS_SHOWN],
    }
    return render(request, "web/class_photo_zip.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def photo_import(request: StaffRequest, pk: int, photo_import: UUID) -> HttpResponseBase:
    """Shows an import. A POST says whose folder one is, deletes it, or chooses the coding of the names."""
    course = get_course(request, pk)
    check_permission(request, "biometrics.add_facephoto")
    row = get_object_or_404(photo_imports_for(request.user), pk=photo_import, course=course)
    if request.method == "POST":
        handle_choice(request, row)
        return redirect("course-photo-import", pk, photo_import)
    context = {
        "course": course,
        "head": build_class_head(course),
        "tab": "photos",
        **build_import_context(request.user, row),
    }
    return render(request, "web/class_photo_import.html", context)
