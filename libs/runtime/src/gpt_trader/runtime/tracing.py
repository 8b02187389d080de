"""What travels with a chain of messages: the trace and the moment of the tick that began it."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from types import MappingProxyType

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

ORIGIN_NS = "Origin-Ns"
"""Header with the wall-clock nanoseconds of the tick that started the chain."""
TRACEPARENT = "traceparent"

_NOTHING: Mapping[str, str] = MappingProxyType({})
_FLOW: ContextVar[Mapping[str, str]] = ContextVar("flow", default=_NOTHING)
_TRACER = "gpt_trader"
_W3C = TraceContextTextMapPropagator()


def carried() -> Mapping[str, str]:
    """Return the headers that the next message of this chain must carry."""
    return _FLOW.get()


def adopt(headers: Mapping[str, str]) -> None:
    """Continue the chain of a received message."""
    _FLOW.set({name: headers[name] for name in (ORIGIN_NS, TRACEPARENT) if name in headers} if headers else _NOTHING)


def origin(nanoseconds: int) -> None:
    """Begin a chain at this wall-clock time; when traces are exported, its trace begins here too."""
    _FLOW.set({ORIGIN_NS: str(nanoseconds)})
    if _is_exporting():
        with trace.get_tracer(_TRACER).start_as_current_span("origin", context=Context()):
            headers = dict(_FLOW.get())
            _W3C.inject(headers)
            _FLOW.set(headers)


def origin_ns() -> int | None:
    """When the current chain began, in wall-clock nanoseconds; None if nobody said."""
    text = _FLOW.get().get(ORIGIN_NS, "")
    return int(text) if text.isdecimal() else None


def continued(headers: Mapping[str, str], name: str) -> AbstractContextManager[None]:
    """Handle a received message as part of its chain."""
    adopt(headers)
    return span(name)


def span(name: str, **attributes: str) -> AbstractContextManager[None]:
    """Measure a step of the current chain; messages sent inside belong to it. Free unless traces are exported."""
    return _span(name, attributes) if _is_exporting() else nullcontext()


@contextmanager
def _span(name: str, attributes: Mapping[str, str]) -> Iterator[None]:
    parent = _W3C.extract(_FLOW.get())
    with trace.get_tracer(_TRACER).start_as_current_span(name, context=parent, attributes=attributes):
        headers = dict(_FLOW.get())
        _W3C.inject(headers)
        token = _FLOW.set(headers)
        try:
            yield
        finally:
            _FLOW.reset(token)


def _is_exporting() -> bool:
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


@contextmanager
def exporting(endpoint: str | None, service: str) -> Iterator[None]:
    """Send spans to an OTLP/HTTP collector while the service runs; without an endpoint nothing is loaded or sent."""
    if endpoint is None:
        yield
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - 20 MB unless asked for
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - as above
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - as above
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - as above

    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()
