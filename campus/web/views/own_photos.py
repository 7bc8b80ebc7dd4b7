"""Where a student's link leads: a page without a login, on which to send photos and read what became of them.

Whoever has the link can do this and nothing else. What it protects is in the address and not in a cookie, so another
site can't use it, and no CSRF token is needed: the link is looked up before anything of the body is read.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from campus.accounts.addresses import client_network
from campus.accounts.signin import AttemptLimit
from campus.biometrics.models import SentPhoto
from campus.biometrics.sent_photos import MAX_PHOTOS_PER_LINK, REPLACEABLE, fault_words, send_photo
from campus.common.errors import UserError
from campus.common.file_responses import picture_response
from campus.consent.links import ENDED_LINK_RETENTION, find_student_link
from campus.consent.models import Consent, StudentLink
from campus.consent.selectors import current_consents, has_basis
from campus.consent.services import record_answer

# In a quarter of an hour. All students of a lecture hall may share one address.
MAX_UPLOADS_PER_LINK = 20
MAX_UPLOADS_PER_NETWORK = 1000


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def own_photos(request: HttpRequest, key: str) -> HttpResponse:
    """The student's photos so far, and the form for more."""
    link = find_student_link(key)
    if link is None or link.is_expired:
        return render(request, "web/own_photos_ended.html", {"link": link}, status=410)
    if request.method != "POST":
        return _render(request, link)
    limits = (
        AttemptLimit("student-link", link.pk, most=MAX_UPLOADS_PER_LINK),
        AttemptLimit("student-link", client_network(request), most=MAX_UPLOADS_PER_NETWORK),
    )
    if any(limit.is_exceeded for limit in limits):
        sentence = _("Too many photos came in a short time. Wait a quarter of an hour, and try again.")
        return _render(request, link, errors=[sentence], status=429)
    for limit in limits:
        limit.add_attempt()
    errors = _take_photos(request, link)
    return _render(request, link, errors=errors, status=400) if errors else redirect("own-photos", key=key)


def _take_photos(request: HttpRequest, link: StudentLink) -> list[str]:
    """Store the photos of the form; returns why some were not."""
    if request.POST.get("consent"):
        record_answer(student=link.student, given=True, method=Consent.Method.LINK)
    if not has_basis(link.student):
        return [_("Tick that you agree. Without that we can't take a photo.")]
    files = request.FILES.getlist("photos")
    if not files:
        return [_("Choose a photo first.")]
    errors = []
    try:
        replaces = UUID(request.POST.get("replaces", ""))
    except ValueError:
        replaces = None
    for file in files[:MAX_PHOTOS_PER_LINK]:
        try:
            send_photo(link=link, file=file, name=str(file.name), replaces=replaces)
        except UserError as error:
            errors.append(str(error))
        replaces = None
    return errors


@never_cache
@require_safe
def own_photo_picture(request: HttpRequest, key: str, pk: UUID) -> HttpResponseBase:
    """A small picture of a photo that was sent by this link."""
    link = find_student_link(key)
    if link is None or link.is_expired:
        return render(request, "web/own_photos_ended.html", {"link": link}, status=410)
    return picture_response(str(get_object_or_404(link.photos.exclude(picture=""), pk=pk).picture))


def _render(request: HttpRequest, link: StudentLink, *, errors: Sequence[str] = (), status: int = 200) -> HttpResponse:
    photos = list(link.photos.all())
    context: dict[str, Any] = {
        "link": link,
        "has_basis": has_basis(link.student),
        "consent": current_consents([link.student_id]).get(link.student_id),
        "token": request.resolver_match.kwargs["key"] if request.resolver_match else "",
        "photos": [(photo, fault_words(photo), photo.state in REPLACEABLE) for photo in photos],
        "is_checking": any(photo.state == SentPhoto.State.CHECKING for photo in photos),
        "left": MAX_PHOTOS_PER_LINK - len(photos),
        "deleted_on": link.expires_at + ENDED_LINK_RETENTION,
        "errors": errors,
    }
    return render(request, "web/own_photos.html", context, status=status)
