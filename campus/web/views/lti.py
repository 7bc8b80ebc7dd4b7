"""LTI 1.3: where platforms send people to, what they read of us, and what a lecturer chooses after coming from one."""

import secrets
from typing import Any, Final
from urllib.parse import urlsplit

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from campus.academics.models import Course, Lecture
from campus.academics.selectors import current_courses_for, current_lectures_for
from campus.common.errors import UserError
from campus.common.site_address import site_address
from campus.connections.lti.course_links import context_of, find_link, link_course, note_student
from campus.connections.lti.deep_linking import answer, read_request
from campus.connections.lti.keys import LaunchError, published_keys
from campus.connections.lti.launch import Launch, cookie_name, read_launch, start_login
from campus.connections.lti.registration import register
from campus.connections.models import Connection
from campus.identity.models import ExternalIdentity
from campus.identity.sign_in import SignInError, signed_in_student
from campus.web.middleware import STRICT
from campus.web.views import StaffRequest
from campus.web.views.external_sign_in import finish, refuse

CHOICE_SALT: Final = "rollcall.lti-choice"
CHOICE_SECONDS: Final = 3600
COOKIE_SECONDS: Final = 600
MAX_LECTURES: Final = 200


@csrf_exempt  # the platform's page sends it
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    """A platform says that somebody is about to come; the browser goes back there to be told who."""
    given = request.POST if request.method == "POST" else request.GET
    try:
        begun = start_login(given.dict(), site_address(request) + reverse("lti-launch"))
    except LaunchError as error:
        return _refuse(request, error)
    response = redirect(begun.address)
    # It has to come along when the platform's page sends its form here.
    response.set_cookie(
        begun.cookie, begun.value, max_age=COOKIE_SECONDS, path="/lti/", secure=True, httponly=True, samesite="None"
    )
    return response


@csrf_exempt  # the platform's page sends it; `state` is the proof that this browser has asked for it
@never_cache
@require_POST
def launch(request: HttpRequest) -> HttpResponseBase:
    """Somebody comes from a platform: check it, sign the person in, and lead to what was meant."""
    state = request.POST.get("state", "")
    cookie = cookie_name(state)
    try:
        if error := request.POST.get("error"):
            raise LaunchError(
                "The platform refused: {error} ({description}).",
                error=error[:100],
                description=request.POST.get("error_description", "-")[:300],
            )
        come = read_launch(request.POST.get("id_token", ""), state, request.COOKIES.get(cookie, ""))
        provider = come.connection.sign_in
        if provider is None or not provider.active:
            raise LaunchError("The connection “{name}” has no active sign-in.", name=come.connection.name)
        destination = _destination(request, come)
    except UserError as error:
        return _refuse(request, error)
    response: HttpResponseBase
    try:
        response = finish(request, provider, come.assertion, destination)
        if student := signed_in_student(request):
            note_student(come, student)
    except SignInError as refusal:
        response = refuse(request, provider, refusal, come.assertion)
    response.delete_cookie(cookie, path="/lti/", samesite="None")
    return response


@require_safe
@cache_control(max_age=300, public=True)
def keys(request: HttpRequest) -> JsonResponse:
    """Our public keys, by which platforms check what we sign."""
    return JsonResponse(published_keys())


@never_cache
@require_safe
def registration(request: HttpRequest, key: str) -> HttpResponse:
    """A platform's administrator registers Rollcall there (dynamic registration)."""
    site = site_address(request)
    addresses = {"site": site} | {
        name: site + reverse(f"lti-{route}")
        for name, route in (("login", "login"), ("launch", "launch"), ("keys", "keys"))
    }
    try:
        connection = register(
            secret=key,
            configuration_url=request.GET.get("openid_configuration", ""),
            token=request.GET.get("registration_token", ""),
            addresses=addresses,
        )
    except UserError as error:
        return _refuse(request, error)
    return render(request, "web/lti_registered.html", {"connection": connection})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def choose_class(request: StaffRequest) -> HttpResponse:
    """Which class the course is that an instructor has come from. A POST links it."""
    connection, asked = _asked(request)
    courses = current_courses_for(request.user).order_by("code")
    if request.method == "POST":
        course = get_object_or_404(courses, pk=_number(request.POST.get("course", "")))
        try:
            link = link_course(user=request.user, connection=connection, context=asked["context"], course=course)
        except UserError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("%(course)s is linked with %(name)s.") % {"course": course.code, "name": link})
            return redirect("course", course.pk)
    context = {"connection": connection, "name": asked["context"]["name"], "courses": courses, "token": _token(request)}
    return render(request, "web/lti_choose_class.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def choose_content(request: StaffRequest) -> HttpResponse:
    """What the platform shall link to: a class or a lecture. A POST makes the answer, which the browser takes there."""
    connection, asked = _asked(request)
    courses = current_courses_for(request.user).order_by("code")
    lectures = current_lectures_for(request.user).select_related("course").order_by("-starts_at")
    context: dict[str, Any] = {"connection": connection, "token": _token(request)}
    if request.method != "POST":
        context |= {"courses": courses, "lectures": lectures[:MAX_LECTURES]}
        return render(request, "web/lti_choose_content.html", context)
    kind, _colon, pk = request.POST.get("content", "").partition(":")
    chosen: Course | Lecture
    if kind == "lecture":
        chosen = get_object_or_404(lectures, pk=_number(pk))
    else:
        chosen = get_object_or_404(courses, pk=_number(pk))
    url = site_address(request) + reverse("lecture" if kind == "lecture" else "course", args=[chosen.pk])
    context |= {
        "address": asked["request"]["url"],
        "jwt": answer(connection, asked["request"] | {"nonce": secrets.token_urlsafe(16)}, url=url, title=str(chosen)),
        "chosen": chosen,
    }
    response = render(request, "web/lti_return.html", context)
    parts = urlsplit(asked["request"]["url"])
    # The only page whose form goes elsewhere: to a host that is registered as the platform's.
    response.headers["Content-Security-Policy"] = STRICT.replace(
        "form-action 'self'", f"form-action 'self' {parts.scheme}://{parts.netloc}"
    )
    return response


def _destination(request: HttpRequest, come: Launch) -> str:
    """Where the launch leads once the person is signed in; students get to their own page anyway."""
    subject = {"connection": str(come.connection.pk), "issuer": come.claims["iss"], "subject": come.claims["sub"]}
    if come.is_deep_linking:
        asked = read_request(come)
        return _choice_address("lti-content", subject | {"request": asked}) if come.is_instructor else ""
    link = find_link(come)
    site = site_address(request)
    if come.target.startswith(f"{site}/") and not come.target.startswith(f"{site}/lti/"):
        return come.target.removeprefix(site)
    if link:
        return reverse("course", args=[link.course_id])
    context = context_of(come)
    return _choice_address("lti-class", subject | {"context": context}) if come.is_instructor and context["id"] else ""


def _choice_address(route: str, asked: dict[str, Any]) -> str:
    return reverse(route, query={"choice": signing.dumps(asked, salt=CHOICE_SALT, compress=True)})


def _token(request: HttpRequest) -> str:
    return str(request.POST.get("choice") or request.GET.get("choice") or "")


def _asked(request: StaffRequest) -> tuple[Connection, dict[str, Any]]:
    """What a launch asked of this person, and of nobody else."""
    try:
        asked: dict[str, Any] = signing.loads(_token(request), salt=CHOICE_SALT, max_age=CHOICE_SECONDS)
    except signing.BadSignature as error:
        raise PermissionDenied(_("This has expired. Open the link on the platform again.")) from error
    own = ExternalIdentity.objects.filter(issuer=asked["issuer"], subject=asked["subject"], user=request.user)
    connection = Connection.objects.filter(pk=asked["connection"], active=True).first()
    if connection is None or not own.exists():
        raise PermissionDenied
    return connection, asked


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 19 else 0


def _refuse(request: HttpRequest, error: UserError) -> HttpResponse:
    return render(request, "web/lti_error.html", {"error": str(error)}, status=400)
