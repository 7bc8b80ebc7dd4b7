"""How long requests and jobs take, for an OpenTelemetry collector of the institution: a span of each, with the route or
the name of the job, and ids. Addresses, forms and names are in none.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer


@contextmanager
def trace_span(name: str, **facts: Any) -> Iterator["Span | None"]:
    """A span around the block, with these numbers, ids and words of the program; None where no collector is set."""
    tracer = _tracer()
    if tracer is None:
        yield None
        return
    attributes = {f"rollcall.{key}": str(value) for key, value in facts.items() if value is not None}
    # What an exception says may be a name.
    with tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        yield span


def mark_failed(kind: str) -> None:
    """Say in the present span that its work failed, by what kind of error."""
    if _tracer() is None:
        return
    from opentelemetry.trace import Status, StatusCode, get_current_span

    get_current_span().set_status(Status(StatusCode.ERROR, kind))


@cache
def _tracer() -> "Tracer | None":
    """Of this process: made at its first span, since the thread that sends does not survive a fork."""
    if not settings.OTLP_ENDPOINT:
        return None
    # Imported by those who use it.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    # No detectors: they would send the command line and the environment.
    provider = TracerProvider(resource=Resource({"service.name": "rollcall"}))
    exporter = OTLPSpanExporter(endpoint=f"{settings.OTLP_ENDPOINT}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider.get_tracer("rollcall")
