"""What webhooks are told, described for programs: an AsyncAPI document."""

from typing import Any, Final

from campus.accounts.institution import institution_name
from campus.outbox.services import REPLAY_DAYS

_LECTURE: Final = {"type": "integer", "description": "id of the lecture"}
_COURSE: Final = {"type": "string", "description": "code of the class"}
_STUDENTS: Final = {"type": "array", "items": {"type": "integer"}, "description": "ids of students"}
_SHARE: Final = {"type": ["integer", "null"], "description": "share of the points in per cent"}
_MOMENT: Final = {"type": "string", "format": "date-time"}


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }


_COUNTS: Final = _object(
    lecture=_LECTURE,
    course=_COURSE,
    starts_at=_MOMENT,
    counts={
        "type": "object",
        "additionalProperties": {"type": "integer", "minimum": 1},
        "description": "how many students have each status, by its code",
    },
)
_ALARM: Final = _object(
    kind={"type": "string"}, key={"type": "string", "description": "what it is about"}, text={"type": "string"}
)
# The name of each event: what it says, and its data.
EVENTS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "ping": ("A test message, which a person asked for.", _object(institution={"type": "string"})),
    "attendance.counted": (
        "The attendance of a lecture was counted from recordings. Nobody has checked it yet.",
        _COUNTS,
    ),
    "attendance.signed_off": ("A lecture was signed off.", _COUNTS),
    "attendance.falling": (
        "Last week, students of a class fell below the required attendance, or missed three lectures in a row.",
        _object(
            course=_COURSE,
            week={"type": "string", "format": "date", "description": "the week's Monday"},
            below=_STUDENTS,
            away=_STUDENTS,
            share=_SHARE,
            before=_SHARE,
        ),
    ),
    "recording.needs_review": (
        "A recording waits for a person before it counts.",
        _object(lecture=_LECTURE, course=_COURSE, recording={"type": "string", "format": "uuid"}),
    ),
    "footage.missing": (
        "The cameras' footage of a lecture did not arrive in time.",
        _object(
            lecture=_LECTURE,
            course=_COURSE,
            starts_at=_MOMENT,
            partly={"type": "boolean", "description": "whether some has arrived"},
        ),
    ),
    "alarm.started": ("Something needs attention.", _ALARM),
    "alarm.ended": ("It works again.", _ALARM),
}
HEADERS: Final = _object(
    **{
        "webhook-id": {
            "type": "string",
            "format": "uuid",
            "description": "the same in every try and replay of a message: ignore what you have had",
        },
        "webhook-timestamp": {"type": "string", "description": "seconds since 1970, of this try"},
        "webhook-signature": {
            "type": "string",
            "description": "as the Standard Webhooks say; two signatures, with a space between, for a day after the "
            "secret was renewed: accept either",
        },
    }
) | {"additionalProperties": True}


def asyncapi_document() -> dict[str, Any]:
    """The AsyncAPI 3 document of all events."""
    messages = {
        _name(event): {
            "name": event,
            "title": summary,
            "contentType": "application/json",
            "headers": {"$ref": "#/components/schemas/Headers"},
            "payload": _object(
                type={"type": "string", "const": event},
                timestamp=_MOMENT | {"description": "when the event was queued"},
                data=data,
            ),
        }
        for event, (summary, data) in EVENTS.items()
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"Rollcall, {institution_name()}",
            "version": "1",
            "description": "Webhooks: each message is a POST to the address that a registrar has entered, signed as "
            "the Standard Webhooks say (https://www.standardwebhooks.com). Answer with any status from 200 to 299; "
            "410 switches the webhook off; all else is tried again for two days. Messages may arrive twice and in "
            f"another order. Those of the last {REPLAY_DAYS} days can be sent again.",
        },
        "defaultContentType": "application/json",
        "channels": {
            "webhook": {
                "address": None,
                "title": "The address of a webhook",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": {
            "sendEvent": {
                "action": "send",
                "channel": {"$ref": "#/channels/webhook"},
                "messages": [{"$ref": f"#/channels/webhook/messages/{name}"} for name in messages],
                "bindings": {"http": {"method": "POST"}},
            }
        },
        "components": {"messages": messages, "schemas": {"Headers": HEADERS}},
    }


def _name(event: str) -> str:
    """Keys of components have no dots."""
    return event.replace(".", "_")
