"""What the OpenAPI description says of every operation: the headers it takes and the errors it may return."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from campus.api.exception_handler import PROBLEM_TYPE


def _header(name: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.STR, OpenApiParameter.HEADER, description=description)


IF_NONE_MATCH = _header(
    "If-None-Match", "the `ETag` of an earlier response; the answer is 304 without a body if nothing has changed since"
)
IF_MATCH = _header(
    "If-Match",
    "the `ETag` of the version that you are changing; the answer is 412 if somebody has changed it meanwhile",
)
IDEMPOTENCY_KEY = _header(
    "Idempotency-Key",
    "a unique value of your choice; repeating a request with it within a day returns the first response again",
)

PROBLEM = {
    "type": "object",
    "description": "Why a request was refused: problem details as in RFC 9457.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "example": "about:blank"},
        "title": {"type": "string", "example": "Bad Request"},
        "status": {"type": "integer", "example": 400},
        "detail": {"type": "string", "description": "for people: what is wrong and what to do about it"},
        "marked": {"type": "integer", "description": "of a 409: how many students were marked by hand"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer to the field", "example": "#/ends_at"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}
REFUSALS = {
    "400": "the input is invalid, or the request cannot be carried out",
    "401": "not signed in",
    "403": "not allowed",
    "404": "does not exist, or you may not see it",
    "409": "would replace what a person has marked",
    "412": "changed by somebody else meanwhile",
    "422": "the Idempotency-Key was used for another request",
}


class Schema(AutoSchema):
    def get_override_parameters(self) -> list[Any]:
        if not getattr(self.view, "conditional", False):
            return []
        by_method = {"GET": [IF_NONE_MATCH], "POST": [IDEMPOTENCY_KEY], "PATCH": [IF_MATCH], "DELETE": [IF_MATCH]}
        return list(by_method.get(self.method, []))


def describe_refusals(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """A postprocessing hook of drf-spectacular."""
    components = result["components"]
    components["schemas"]["Problem"] = PROBLEM
    content = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    components["responses"] = {
        f"Problem{code}": {"description": text, "content": content} for code, text in REFUSALS.items()
    }
    components["responses"]["Problem"] = {"description": "any other error", "content": content}
    components["responses"]["NotModified"] = {"description": "not changed since the response that If-None-Match names"}
    for path, operations in result["paths"].items():
        for operation in operations.values():
            names = {parameter["name"] for parameter in operation.get("parameters", [])}
            codes = {"401", "403"} | {code for code in operation["responses"] if code >= "400"}
            codes |= {"400"} if names or "requestBody" in operation else set()
            codes |= {"404"} if "{" in path or "cursor" in names else set()
            codes |= {"412"} if "If-Match" in names else set()
            codes |= {"422"} if "Idempotency-Key" in names else set()
            for code in sorted(codes):
                operation["responses"][code] = {
                    "$ref": f"#/components/responses/Problem{code if code in REFUSALS else ''}"
                }
            if "If-None-Match" in names:
                operation["responses"]["304"] = {"$ref": "#/components/responses/NotModified"}
            operation["responses"]["default"] = {"$ref": "#/components/responses/Problem"}
    return result
