"""Turn HTTP requests into calls: faults, tokens, scopes and limits before any answer."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import chain

import orjson
from aiohttp import web

from gpt_trader.exchange_sim.adapters.faults import Faults
from gpt_trader.exchange_sim.adapters.jwt import JwtJudge
from gpt_trader.exchange_sim.adapters.keys import ApiKey, Scope
from gpt_trader.exchange_sim.adapters.rest.account_routes import account_routes
from gpt_trader.exchange_sim.adapters.rest.futures_routes import futures_routes
from gpt_trader.exchange_sim.adapters.rest.limits import RateLimit
from gpt_trader.exchange_sim.adapters.rest.market_routes import market_routes
from gpt_trader.exchange_sim.adapters.rest.order_routes import order_routes
from gpt_trader.exchange_sim.adapters.rest.reading_routes import reading_routes
from gpt_trader.exchange_sim.adapters.rest.v2_routes import v2_routes
from gpt_trader.exchange_sim.adapters.rest.wire import Call, Refused, Reply, Route, Strikes, encode
from gpt_trader.exchange_sim.domain.faults.board import Occasion
from gpt_trader.exchange_sim.domain.faults.kinds import FaultKind
from gpt_trader.exchange_sim.domain.venue import Venue
from gpt_trader.exchange_sim.ports import Floor, Stopwatch

_TOO_MANY = Reply(status=429, body={"errors": [{"id": "rate_limit_exceeded", "message": "Too many requests"}]})
_UNAUTHORIZED = Reply(status=401, body="Unauthorized")
_NO_ROUTE = Reply(status=404, body="Route Not Found")
_INTERNAL = 500
_LOST_REPLY_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class RestServer:
    """Everything a request passes before its route answers."""

    floor: Floor
    judge: JwtJudge
    faults: Faults
    stopwatch: Stopwatch
    private_limit: RateLimit
    public_limit: RateLimit
    latency: Callable[[], float]
    count: Callable[[str, int], None]

    def register(self, app: web.Application) -> None:
        """Add all routes; anything else is the venue's 404."""
        ours = (market_routes(), order_routes(), reading_routes(), account_routes(), futures_routes(), v2_routes())
        for route in chain(*ours):
            app.router.add_route(route.method, route.path, self._answering(route))
        app.router.add_route("*", "/{tail:.*}", self._no_route)

    def _answering(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            response = await self._serve(route, request)
            self.count(request.method, response.status)
            return response

        return answer

    async def _serve(self, route: Route, request: web.Request) -> web.StreamResponse:
        raw_body = await request.read()
        subject = _subject(request, raw_body, self.floor.venue)
        occasion = self.faults.board.occasion(f"{request.method} {request.path}", *subject)
        headers = self._date()
        await _wait(self.latency() + self._seconds(FaultKind.SLOW_MS, occasion))
        key = None
        if route.scope is not None:
            key = self._authenticate(request)
            if key is None or self.faults.strike(FaultKind.REJECT_401_ONCE, occasion):
                return _response(_UNAUTHORIZED, headers)
        limit = self.public_limit if key is None else self.private_limit
        remaining = limit.take(str(request.remote) if key is None else key.name)
        limited = self.faults.strike(FaultKind.HTTP_429, occasion)
        if key is not None:
            headers |= limit.headers(0 if limited else remaining or 0)
        if limited is not None or remaining is None:
            return _response(_TOO_MANY, headers | {"Retry-After": str(1 if limited is None else limited.value)})
        broken = self._broken(FaultKind.HTTP_500_BEFORE_ACCEPT, occasion)
        if broken is None and request.method == "POST" and self.faults.holding(FaultKind.MAINTENANCE, occasion.target):
            broken = _failure(503)
        if broken is not None:
            return _response(broken, headers)
        reply = self._reply(route, request, raw_body, key, occasion)
        return await self._deliver(reply, request, headers, occasion)

    def _reply(
        self, route: Route, request: web.Request, raw_body: bytes, key: ApiKey | None, occasion: Occasion
    ) -> Reply:
        if route.scope is not None and key is not None and not _is_allowed(route, key):
            return Refused(403, "PERMISSION_DENIED", "Missing required scopes").reply
        now = self.floor.now()
        self.floor.venue.advance(now)
        self.floor.publish()
        call = Call(
            floor=self.floor,
            now=now,
            query=request.query,
            path=request.match_info,
            raw_body=raw_body,
            key=key,
            server_time=now + self._skew(),
            strikes=Strikes(self.faults, occasion),
        )
        try:
            return route.answer(call)
        except Refused as refused:
            return refused.reply

    async def _deliver(
        self, reply: Reply, request: web.Request, headers: dict[str, str], occasion: Occasion
    ) -> web.StreamResponse:
        broken = self._broken(FaultKind.HTTP_500_AFTER_ACCEPT, occasion)
        if broken is not None:
            return _response(broken, headers)
        if self.faults.strike(FaultKind.LOST_REPLY, occasion):
            await _wait(_LOST_REPLY_SECONDS)
        await _wait(self._seconds(FaultKind.SLOW_REPLY_MS, occasion))
        if self.faults.strike(FaultKind.DROP_CONNECTION_AFTER_ACCEPT, occasion) and request.transport is not None:
            request.transport.abort()
        response = _response(reply, headers)
        if self.faults.strike(FaultKind.CUT_MID_BODY, occasion):
            return await _cut(request, response)
        return response

    def _broken(self, kind: FaultKind, occasion: Occasion) -> Reply | None:
        fault = self.faults.strike(kind, occasion)
        return None if fault is None else _failure(fault.value)

    def _seconds(self, kind: FaultKind, occasion: Occasion) -> float:
        fault = self.faults.strike(kind, occasion)
        return 0 if fault is None else fault.value / 1000

    def _skew(self) -> timedelta:
        fault = self.faults.holding(FaultKind.CLOCK_SKEW)
        return timedelta(milliseconds=0 if fault is None else fault.value)

    def _date(self) -> dict[str, str]:
        at = datetime.fromtimestamp(self.stopwatch.unix_ns() / 1e9, UTC) + self._skew()
        return {"Date": format_datetime(at, usegmt=True)}

    def _authenticate(self, request: web.Request) -> ApiKey | None:
        header = request.headers.get("Authorization", "")
        return self.judge.key_for_request(header, request.method, request.host, request.raw_path.partition("?")[0])

    @staticmethod
    async def _no_route(request: web.Request) -> web.StreamResponse:
        await request.read()
        return _response(_NO_ROUTE, {})


def _is_allowed(route: Route, key: ApiKey) -> bool:
    return route.scope in key.scopes or (route.path.endswith("/orders/preview") and Scope.TRADE in key.scopes)


def _subject(request: web.Request, raw_body: bytes, venue: Venue) -> tuple[str, str]:
    """Return the product and side that a request is about, empty where it names none."""
    if request.method == "GET":
        return request.query.get("product_id", request.match_info.get("product_id", "")), ""
    try:
        body = orjson.loads(raw_body or b"{}")
    except orjson.JSONDecodeError:
        return "", ""
    if not isinstance(body, dict):
        return "", ""
    order = venue.orders.get(str(body.get("order_id")))
    if order is not None:
        return order.product_id, order.side.value
    return str(body.get("product_id", "")), str(body.get("side", ""))


def _failure(status: int) -> Reply:
    if status != _INTERNAL:
        return Reply(status=status, body=f"<html><body><h1>{status}</h1></body></html>", content_type="text/html")
    words = "internal error"
    return Reply(status=status, body={"error": "INTERNAL", "error_details": words, "message": words})


async def _cut(request: web.Request, response: web.Response) -> web.StreamResponse:
    body = response.body if isinstance(response.body, bytes) else b""
    part = web.StreamResponse(status=response.status, headers=response.headers)
    part.content_length = len(body)
    await part.prepare(request)
    await part.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.abort()
    return part


async def _wait(seconds: float) -> None:
    if seconds:
        await asyncio.sleep(seconds)


def _response(reply: Reply, headers: dict[str, str]) -> web.Response:
    if isinstance(reply.body, str):
        return web.Response(status=reply.status, text=reply.body, headers=headers, content_type=reply.content_type)
    return web.Response(status=reply.status, body=encode(reply.body), content_type="application/json", headers=headers)
