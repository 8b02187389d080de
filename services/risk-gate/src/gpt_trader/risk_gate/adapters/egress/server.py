"""The TLS listener of the last hop: classify, ask, forward, answer."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import assert_never

import prometheus_client
from aiohttp import web

from gpt_trader.risk_gate.adapters.budget import Priority
from gpt_trader.risk_gate.adapters.egress import replies
from gpt_trader.risk_gate.adapters.egress.creates import Creates
from gpt_trader.risk_gate.adapters.egress.routes import Kind, Route, RouteRefused, route
from gpt_trader.risk_gate.adapters.egress.user_feed import MOST_WATCHERS, serve_feed
from gpt_trader.risk_gate.adapters.relay import Ending, Relay
from gpt_trader.risk_gate.adapters.venue_link import Answer, Link
from gpt_trader.risk_gate.domain.permits import Refusal
from gpt_trader.risk_gate.ports import OutcomeUnknown, Permits, VenueUnavailable
from gpt_trader.runtime import logs, tracing
from gpt_trader.runtime.clock import Clock

ORIGIN_HEADER = "X-Origin-Ns"
"""With `traceparent` the only header of the executor that is read, beside those that frame the body."""
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_BODY_SECONDS = 5.0
_BUDGET_SECONDS = 2.0
_REQUESTS = prometheus_client.Counter("risk_gate_egress_requests", "requests by kind and answer", ["kind", "status"])

log = logs.get("risk-gate")


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressTerms:
    """Where to listen (port 0 = any free one), and how long a shutdown waits for answers that are on their way."""

    host: str
    port: int
    tls: ssl.SSLContext
    drain_within: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """One request at a time in, at most one request out."""

    permits: Permits
    link: Link
    relay: Relay
    creates: Creates

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one request of the executor."""
        match route(request.method, request.raw_path, request.headers):
            case RouteRefused(reason):
                log.warning("route_refused", method=request.method, target=request.raw_path[:200], reason=reason)
                return _response("refused", replies.route_refused(reason), is_last=True)
            case Route(kind=Kind.WATCH):
                return await self._watch(request)
            case Route() as permitted:
                return _response(permitted.kind.value, await self._pass(permitted, request))

    async def _pass(self, permitted: Route, request: web.BaseRequest) -> Answer:
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                body = await request.read()
        except TimeoutError:
            return replies.not_served("the body did not arrive")
        match permitted.kind:
            case Kind.CREATE:
                with tracing.continued(_chain(request), "egress"):
                    return await self.creates.post(body, _origin_ns(request))
            case Kind.CANCEL:
                return await self._cancel(permitted, body)
            case Kind.READ:
                return await self._read(permitted)
            case Kind.WATCH:
                raise AssertionError(permitted)
            case _:
                assert_never(permitted.kind)

    async def _cancel(self, permitted: Route, body: bytes) -> Answer:
        """Pass a cancel, which can only reduce risk; it waits for budget rather than fail."""
        objection = self.permits.objection_to_cancel()
        if objection is not None:
            return replies.permit_refused(objection)
        if not await self.link.budget.wait(Priority.CANCEL, _BUDGET_SECONDS):
            return replies.rate_limited()
        try:
            return await self.link.send("POST", permitted.path, body=body)
        except (VenueUnavailable, OutcomeUnknown) as error:
            return replies.outcome_unknown(str(error))

    async def _read(self, permitted: Route) -> Answer:
        if not self.permits.allows_read():
            return replies.permit_refused(Refusal.EPOCH)
        if not self.link.budget.take(Priority.READ):
            return replies.rate_limited()
        try:
            return await self.link.send("GET", permitted.path, permitted.query)
        except (VenueUnavailable, OutcomeUnknown) as error:
            return replies.venue_unavailable(str(error))

    async def _watch(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return _response("watch", replies.route_refused("a WebSocket upgrade is expected here"))
        if not self.relay.is_open or self.relay.watchers >= MOST_WATCHERS:
            return _response("watch", replies.feed_unavailable())
        return await serve_feed(request, self.relay)


@asynccontextmanager
async def serving(terms: EgressTerms, permits: Permits, link: Link, relay: Relay, clock: Clock) -> AsyncIterator[int]:
    """Serve while the block runs and give its port; at the end no request is taken, and what has left is awaited."""
    async with asyncio.TaskGroup() as group:
        creates = Creates(permits=permits, link=link, clock=clock, group=group)
        egress = Egress(permits=permits, link=link, relay=relay, creates=creates)
        # A body is never unpacked: its bytes are what was approved.
        runner = web.ServerRunner(web.Server(egress.answer, access_log=None, auto_decompress=False))
        await runner.setup()
        try:
            site = web.TCPSite(runner, terms.host, terms.port, ssl_context=terms.tls)
            await site.start()
            port = runner.addresses[0][1]
            log.info("egress_open", port=port)
            yield port
            await site.stop()
        finally:
            relay.close(Ending.GOING_AWAY)
            await creates.drained(terms.drain_within)
            await runner.cleanup()


def _response(kind: str, answer: Answer, *, is_last: bool = False) -> web.Response:
    _REQUESTS.labels(kind, answer.status).inc()
    response = web.Response(status=answer.status, headers=answer.headers, body=answer.body)
    if is_last:
        # Whatever follows on such a connection is not to be trusted as a request of its own.
        response.force_close()
    return response


def _chain(request: web.BaseRequest) -> dict[str, str]:
    """Read which trace the order belongs to; a malformed one begins a trace of its own."""
    parent = request.headers.get(tracing.TRACEPARENT, "")
    return {tracing.TRACEPARENT: parent} if _TRACEPARENT.fullmatch(parent) else {}


def _origin_ns(request: web.BaseRequest) -> int | None:
    """Read when the chain began; telemetry only, so nonsense counts as not said."""
    return tracing.nanoseconds(request.headers.get(ORIGIN_HEADER, ""))
