"""Deep linking: a lecturer chooses a class or lecture, which the platform then links to (LTI Deep Linking 2.0)."""

from typing import Any, Final
from urllib.parse import urlsplit

from campus.connections.lti.keys import LaunchError, sign
from campus.connections.lti.launch import CLAIM, DEEP_LINKING, Launch
from campus.connections.lti.settings import hosts_of
from campus.connections.models import Connection

LINK_TYPE: Final = "ltiResourceLink"


def read_request(launch: Launch) -> dict[str, Any]:
    """What is needed to answer: the connection, the deployment, where the answer goes, and what goes back as it is.

    Raises LaunchError.
    """
    settings = launch.part(f"{DEEP_LINKING}deep_linking_settings")
    url = str(settings.get("deep_link_return_url", ""))
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or parts.netloc not in hosts_of(launch.connection.settings):
        raise LaunchError(
            "The answer should go to “{host}”, which is not among the hosts of this platform. Add it to them if it is.",
            host=parts.netloc[:200],
        )
    if LINK_TYPE not in (settings.get("accept_types") or ()):
        raise LaunchError("The platform accepts no links here (accept_types lacks {kind}).", kind=LINK_TYPE)
    return {
        "connection": str(launch.connection.pk),
        "deployment": launch.claims[f"{CLAIM}deployment_id"],
        "url": url,
        "data": settings.get("data"),
    }


def answer(connection: Connection, asked: dict[str, Any], *, url: str, title: str) -> str:
    """The signed answer: a link to that address of ours."""
    settings = connection.settings
    claims: dict[str, Any] = {
        "iss": settings["client_id"],
        "aud": [settings["issuer"]],
        "nonce": asked["nonce"],
        f"{CLAIM}deployment_id": asked["deployment"],
        f"{CLAIM}message_type": "LtiDeepLinkingResponse",
        f"{CLAIM}version": "1.3.0",
        f"{DEEP_LINKING}content_items": [
            {"type": LINK_TYPE, "url": url, "title": title, "window": {"targetName": "_blank"}}
        ],
    }
    if asked["data"] is not None:
        claims[f"{DEEP_LINKING}data"] = asked["data"]
    return sign(claims)
