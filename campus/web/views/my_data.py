"""Where a student's link leads: the own page without an account. It says what the student's face is used for, asks for
consent, takes photos, and shows the own attendance and what is held.

Whoever has the link can do this and nothing else. What it protects is in the address and not in a cookie, so another
site can't use it, and no CSRF token is needed: the link is looked up before anything of the body is read.

Students who sign in elsewhere (`campus/identity`) have the page under one address, by a session that gives nothing
else. There, a CSRF token is needed.
"""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from campus.accounts.addresses import client_network
from campus.accounts.institution import get_institution, institution_name
from campus.accounts.models import Institution
from campus.accounts.signin import AttemptLimit
from campus.attendance.objection_models import MAX_OBJECTION_LENGTH
from campus.attendance.objections import object_to_mark
from campus.attendance.own_register import own_register
from campus.audit.models import Action
from campus.audit.services import record_event
from campus.biometrics.models import Embedding, LectureFace, SentPhoto
from campus.biometrics.sent_photos import MAX_PHOTOS_PER_LINK, REPLACEABLE, fault_words, send_photo
from campus.common.errors import UserError
from campus.common.file_responses import picture_response
from campus.consent.links import ENDED_LINK_RETENTION, extend_student_link, find_student_link
from campus.consent.models import Consent, ConsentText, StudentLink
from campus.consent.selectors import consent_state, current_consents, current_text, has_basis
from campus.consent.services import record_answer, withdraw_consent
from campus.identity.sign_in import OWN_PAGE, signed_in_student
from campus.outbox.models import MessageOptIn
from campus.outbox.opt_ins import open_opt_ins, record_opt_in, withdraw_opt_in
from campus.outbox.student_emails import send_link_to_number
from campus.privacy.export import export_response
from campus.web.views.messages import OwnOptInForm, own_opt_in_context

# In a quarter of an hour. All students of a lecture hall may share one address.
MAX_CHANGES_PER_LINK = 20
MAX_CHANGES_PER_NETWORK = 1000
MAX_REQUESTS_PER_NUMBER = 3


class ObjectionForm(forms.Form):
    record = forms.IntegerField(min_value=1, max_value=2**63 - 1)
    text = forms.CharField(max_length=MAX_OBJECTION_LENGTH)


class NumberForm(forms.Form):
    number = forms.CharField(label=gettext_lazy("Your student number"), max_length=40)


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def my_data(request: HttpRequest, key: str) -> HttpResponse:
    """The student's own page. A POST answers, sends photos, or objects to a mark."""
    link = _opened_link(request, key)
    if link is None:
        return _ended(request, key)
    if request.method != "POST":
        return _render(request, link)
    act = csrf_protect(_act) if key == OWN_PAGE else _act
    return act(request, link, key)


def _opened_link(request: HttpRequest, key: str) -> StudentLink | None:
    """The link that is still valid, or that of the student who is signed in."""
    if key == OWN_PAGE:
        student = signed_in_student(request)
        return extend_student_link(student=student) if student else None
    link = find_student_link(key)
    return None if link is None or link.is_expired else link


def _ended(request: HttpRequest, key: str) -> HttpResponse:
    if key == OWN_PAGE:
        return redirect("login")
    return render(request, "web/my_data_ended.html", {"link": find_student_link(key)}, status=410)


def _act(request: HttpRequest, link: StudentLink, key: str) -> HttpResponse:
    limits = (
        AttemptLimit("student-link", link.pk, most=MAX_CHANGES_PER_LINK),
        AttemptLimit("student-link", client_network(request), most=MAX_CHANGES_PER_NETWORK),
    )
    if any(limit.is_exceeded for limit in limits):
        sentence = _("Too much came in a short time. Wait a quarter of an hour, and try again.")
        return _render(request, link, errors=[sentence], status=429)
    for limit in limits:
        limit.add_attempt()
    try:
        errors = ACTIONS.get(request.POST.get("act", "photos"), _take_photos)(request, link)
    except UserError as error:
        errors = [str(error)]
    return _render(request, link, errors=errors, status=400) if errors else redirect("my-data", key=key)


def _agree(request: HttpRequest, link: StudentLink) -> list[str]:
    return _answer(request, link, given=True)


def _refuse(request: HttpRequest, link: StudentLink) -> list[str]:
    return _answer(request, link, given=False)


def _answer(request: HttpRequest, link: StudentLink, *, given: bool) -> list[str]:
    """Record what was said to the text that was shown."""
    shown = request.POST.get("text", "")
    text = ConsentText.objects.filter(pk=int(shown)).first() if shown.isdecimal() and len(shown) < 19 else None
    if text is None or text.version != current_text().version:
        return [_("The text has changed meanwhile. Read it again, then answer.")]
    record_answer(student=link.student, given=given, method=Consent.Method.LINK, text=text)
    return []


def _withdraw(request: HttpRequest, link: StudentLink) -> list[str]:
    withdraw_consent(student=link.student, keep_photos="keep-photos" in request.POST)
    return []


def _object(request: HttpRequest, link: StudentLink) -> list[str]:
    form = ObjectionForm(request.POST)
    if not form.is_valid():
        return [_("Write what is wrong with the mark, in at most %(n)d characters.") % {"n": MAX_OBJECTION_LENGTH}]
    object_to_mark(student=link.student, **form.cleaned_data)
    return []


def _want_messages(request: HttpRequest, link: StudentLink) -> list[str]:
    form = OwnOptInForm(request.POST)
    if not form.is_valid():
        return [_("Choose how, and write the address or number.")]
    language = (translation.get_language() or settings.LANGUAGE_CODE).split("-")[0]
    codes = [code for code, _name in settings.LANGUAGES if code.split("-")[0] == language] or [settings.LANGUAGE_CODE]
    try:
        record_opt_in(
            student=link.student, recipient=MessageOptIn.Recipient.STUDENT, language=codes[0], **form.cleaned_data
        )
    except ValidationError as error:
        return error.messages
    return []


def _end_messages(request: HttpRequest, link: StudentLink) -> list[str]:
    key = request.POST.get("opt_in", "")
    if key.isdecimal() and len(key) < 19 and (row := open_opt_ins(link.student).filter(pk=int(key)).first()):
        withdraw_opt_in(opt_in=row)
    return []


def _take_photos(request: HttpRequest, link: StudentLink) -> list[str]:
    """Store the photos of the form; returns why some were not."""
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


ACTIONS: dict[str, Callable[[HttpRequest, StudentLink], list[str]]] = {
    "agree": _agree,
    "refuse": _refuse,
    "withdraw": _withdraw,
    "object": _object,
    "messages": _want_messages,
    "messages-end": _end_messages,
}


@never_cache
@require_safe
def own_photo_picture(request: HttpRequest, key: str, pk: UUID) -> HttpResponseBase:
    """A small picture of a photo that was sent by this link."""
    link = _opened_link(request, key)
    if link is None:
        return _ended(request, key)
    return picture_response(str(get_object_or_404(link.photos.exclude(picture=""), pk=pk).picture))


@never_cache
@require_safe
def download(request: HttpRequest, key: str) -> HttpResponseBase:
    """All that is held of the student, as a zip."""
    link = _opened_link(request, key)
    if link is None:
        return _ended(request, key)
    limit = AttemptLimit("student-data", link.pk)
    if limit.is_exceeded:
        sentence = _("Too much came in a short time. Wait a quarter of an hour, and try again.")
        return _render(request, link, errors=[sentence], status=429)
    limit.add_attempt()
    record_event(
        None, Action.EXPORTED_STUDENT, student=link.student_id, about="signed in" if key == OWN_PAGE else "by link"
    )
    return export_response(link.student)


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def request_link(request: HttpRequest) -> HttpResponse:
    """Where the QR code leads: a student types the number, and gets the link by e-mail. What the page says is the same
    for every number.
    """
    form = NumberForm(request.POST or None)
    is_sent = False
    if form.is_valid():
        number = form.cleaned_data["number"]
        limits = (
            AttemptLimit("link-request", number.casefold(), most=MAX_REQUESTS_PER_NUMBER),
            AttemptLimit("link-request", client_network(request), most=MAX_CHANGES_PER_NETWORK),
        )
        if not any(limit.is_exceeded for limit in limits):
            for limit in limits:
                limit.add_attempt()
            send_link_to_number(number=number)
        is_sent = True
    return render(request, "web/my_data_request.html", {"form": form, "is_sent": is_sent})


def _render(request: HttpRequest, link: StudentLink, *, errors: Sequence[str] = (), status: int = 200) -> HttpResponse:
    student, institution = link.student, get_institution()
    consent = current_consents([student.pk]).get(student.pk)
    text = current_text(translation.get_language())
    photos = list(link.photos.all())
    token = request.resolver_match.kwargs["key"] if request.resolver_match else ""
    context: dict[str, Any] = {
        "link": link,
        "token": token,
        "is_signed_in": token == OWN_PAGE,
        "asks": institution.legal_basis == Institution.LegalBasis.CONSENT,
        "basis_text": institution.basis_text,
        "basis_since": institution.basis_since,
        "is_off": not (institution.automatic_marking and student.automatic_marking),
        "consent": consent,
        "state": consent_state(consent),
        "text": text,
        "shown_text": text.text.replace("{institution}", institution_name()),
        "has_basis": has_basis(student),
        "photos": [(photo, fault_words(photo), photo.state in REPLACEABLE) for photo in photos],
        "is_checking": any(photo.state == SentPhoto.State.CHECKING for photo in photos),
        "left": MAX_PHOTOS_PER_LINK - len(photos),
        "deleted_on": link.expires_at + ENDED_LINK_RETENTION,
        "classes": own_register(student),
        "objection_days": institution.objection_days,
        "held": {
            "photos": student.photos.count() + len(photos),
            "embeddings": Embedding.objects.filter(photo__student=student).count(),
            "faces": LectureFace.objects.filter(student=student).count(),
        },
        "errors": errors,
        **own_opt_in_context(student),
    }
    return render(request, "web/my_data.html", context, status=status)
