"""What travels with a chain of messages: the trace, when the tick that began it came, and the decision it led to."""

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
DECISION_ID = "Decision-Id"
"""Header with the gate's decision that a message follows from; every log line written on its way names it."""

_CARRIED = (ORIGIN_NS, TRACEPARENT, DECISION_ID)
_LONGEST = 128
"""Characters of a header that is carried on: whoever began the chain chose it, and journals and logs keep it."""
_MOST_DIGITS = 19
"""Digits of a time that can be counted with; with them it ends in the year 2286."""
_NOTHING: Mapping[str, str] = MappingProxyType({})
_FLOW: ContextVar[Mapping[str, str]] = ContextVar("flow", default=_NOTHING)
_TRACER = "gpt_trader"
_W3C = TraceContextTextMapPropagator()


def carried() -> Mapping[str, str]:
    """Return the headers that the next message of this chain must carry."""
    return _FLOW.get()


def adopt(headers: Mapping[str, str]) -> None:
    """Continue the chain of a received message; what no chain of ours would carry is left behind."""
    kept = {name: headers[name] for name in _CARRIED if name in headers} if headers else _NOTHING
    _FLOW.set({name: value for name, value in kept.items() if _is_ours(value)})


def _is_ours(value: str) -> bool:
    """Whether a value can be passed on anywhere: as another message's header, or one of an HTTP request."""
    return len(value) <= _LONGEST and value.isascii() and value.isprintable()


def origin(began: int, name: str) -> None:
    """Begin a chain at this wall-clock time, in nanoseconds; an exported trace begins with a span of that name."""
    _FLOW.set({ORIGIN_NS: str(began)})
    if _is_exporting():
        with trace.get_tracer(_TRACER).start_as_current_span(name, context=Context()):
            headers = dict(_FLOW.get())
            _W3C.inject(headers)
            _FLOW.set(headers)


def origin_ns() -> int | None:
    """When the current chain began, in wall-clock nanoseconds; None if nobody said."""
    return nanoseconds(_FLOW.get().get(ORIGIN_NS, ""))


def nanoseconds(text: str) -> int | None:
    """Read a chain's beginning as it is spelled in a header; None for what is no time."""
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else None


def decision_id() -> str | None:
    """Return the decision that the present step follows from; None before there is one."""
    return _FLOW.get().get(DECISION_ID)


@contextmanager
def about(decision: str) -> Iterator[None]:
    """Name the decision that everything inside follows from: its messages carry it, its log lines show it."""
    token = _FLOW.set({**_FLOW.get(), DECISION_ID: decision})
    try:
        yield
    finally:
        _FLOW.reset(token)


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
