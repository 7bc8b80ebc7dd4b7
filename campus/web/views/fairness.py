"""How well students are recognised: by photos, size of the face, place in the room, and groups that somebody brings."""

import csv
import io
from itertools import islice
from typing import Any, Final

from django import forms
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from campus.academics.models import Course, Student
from campus.academics.selectors import courses_for
from campus.accounts.roles import sees_everything
from campus.common.encodings import guess_encoding
from campus.common.keys import number_key
from campus.privacy.fairness import MAX_LECTURES, MIN_GROUP_SIZE, measure_fairness
from campus.web.room_map import draw_room_map
from campus.web.term_forms import TermForm
from campus.web.views import StaffRequest

MAX_FILE_BYTES: Final = 1024 * 1024
MAX_STUDENTS: Final = 20_000
MAX_GROUPS: Final = 50
MAX_NAME_LENGTH: Final = 60


class GroupsForm(forms.Form):
    """The group of each student: a CSV file that is read for this answer and not kept."""

    groups = forms.FileField(
        label=gettext_lazy("CSV file: student number, group"),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt"}),
        help_text=gettext_lazy("It is read for this answer alone, and not kept."),
    )

    def clean_groups(self) -> dict[str, str]:
        """The group of each number's key."""
        file: UploadedFile[Any] = self.cleaned_data["groups"]
        if (file.size or 0) > MAX_FILE_BYTES:
            raise forms.ValidationError(_("The file is too large. Two columns are enough: student number and group."))
        content = file.read()
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode(guess_encoding(content), errors="replace")
        separator = max(";,\t", key=text.partition("\n")[0].count)
        try:
            rows = list(islice(csv.reader(io.StringIO(text, newline=""), delimiter=separator), MAX_STUDENTS))
        except csv.Error:
            rows = []
        found = {number_key(row[0]): row[1].strip()[:MAX_NAME_LENGTH] for row in rows if len(row) > 1}
        if not found or len(set(found.values())) > MAX_GROUPS:
            raise forms.ValidationError(
                _("There have to be two columns, the student number and the group, and at most %(n)s groups.")
                % {"n": MAX_GROUPS}
            )
        return found


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def fairness(request: StaffRequest, pk: int | None = None) -> HttpResponse:
    """Of all classes, or of one. A POST compares groups; its file is kept nowhere."""
    if not sees_everything(request.user):
        raise PermissionDenied
    courses = courses_for(request.user)
    course: Course | None = get_object_or_404(courses, pk=pk) if pk else None
    period = TermForm(request.GET)
    form = GroupsForm(request.POST, request.FILES) if request.method == "POST" else GroupsForm()
    groups = None
    if form.is_bound and form.is_valid():
        by_key = form.cleaned_data["groups"]
        numbers = Student.objects.filter(number_key__in=by_key).values_list("pk", "number_key")
        groups = {student: by_key[key] for student, key in numbers}
    report = measure_fairness(courses.filter(pk=pk) if pk else courses, **period.term, groups=groups)
    context = {
        "course": course,
        "period": period,
        "form": form,
        "report": report,
        "maps": [(room.view, draw_room_map(room)) for room in report.maps],
        "min_group": MIN_GROUP_SIZE,
        "max_lectures": MAX_LECTURES,
    }
    return render(request, "web/fairness.html", context, status=400 if form.errors else 200)
