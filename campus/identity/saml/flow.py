"""What a browser was sent away to ask, by SAML, kept in its session until the answer comes."""

from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from campus.common.site_address import site_address
from campus.identity.models import IdentityProvider
from campus.identity.saml.metadata import idp_metadata
from campus.identity.saml.responses import in_response_to, read_response
from campus.identity.saml.service_provider import addresses, authentication_request
from campus.identity.sign_in import Assertion, SignInError

QUESTIONS_KEY: Final = "saml-questions"  # by the id of the request; that of the federation's page has the id ""
MAX_QUESTIONS: Final = 5


@dataclass(frozen=True, kw_only=True)
class Question:
    """Of whom it was asked, where the person wanted to go, and whether they are to confirm that it is they."""

    idp: str
    next: str
    confirm: bool


def address_to_ask(request: HttpRequest, provider: IdentityProvider, next_: str, *, confirm: bool) -> str:
    """Where the browser goes: to the identity provider, or to the page where people choose theirs.

    Raises SignInError.
    """
    chooser = str(provider.settings.get("discovery_url", ""))
    if not chooser:
        return _ask(request, provider, Question(idp="", next=next_, confirm=confirm))
    _remember(request, "", Question(idp="", next=next_, confirm=confirm))
    where = addresses(provider, site_address(request))
    query = {"entityID": where.entity_id, "return": where.discovery, "returnIDParam": "entityID"}
    return chooser + ("&" if "?" in chooser else "?") + urlencode(query)


def address_of_chosen(request: HttpRequest, provider: IdentityProvider, entity_id: str) -> str:
    """Where the browser goes from the page where people choose their university. Raises SignInError."""
    if not entity_id or not provider.settings.get("discovery_url"):
        raise SignInError("No university was chosen.")
    question = _take(request, "") or Question(idp="", next="", confirm=False)
    return _ask(request, provider, Question(idp=entity_id, next=question.next, confirm=question.confirm))


def read_answer(request: HttpRequest, provider: IdentityProvider, message: str) -> tuple[Assertion, Question]:
    """What was answered, to which question of this browser; it is answered once. Raises SignInError."""
    request_id = in_response_to(message)
    question = _take(request, request_id) if request_id else None
    if question is None:
        raise SignInError(
            "The answer belongs to no request of this browser. Sign-ins begin here: {start}",
            start=site_address(request) + reverse("sign-in", args=[provider.slug]),
        )
    idp = idp_metadata(provider, question.idp)
    return read_response(provider, site_address(request), idp, message=message, request_id=request_id), question


def _ask(request: HttpRequest, provider: IdentityProvider, question: Question) -> str:
    idp = idp_metadata(provider, question.idp)
    request_id, address = authentication_request(provider, site_address(request), idp, confirm=question.confirm)
    _remember(request, request_id, Question(idp=idp.entity_id, next=question.next, confirm=question.confirm))
    return address


def _remember(request: HttpRequest, key: str, question: Question) -> None:
    questions = {**request.session.get(QUESTIONS_KEY, {}), key: vars(question)}
    request.session[QUESTIONS_KEY] = dict(list(questions.items())[-MAX_QUESTIONS:])


def _take(request: HttpRequest, key: str) -> Question | None:
    questions = dict(request.session.get(QUESTIONS_KEY, {}))
    found = questions.pop(key, None)
    request.session[QUESTIONS_KEY] = questions
    return Question(**found) if found else None
