"""Turn HTTP requests into calls: faults, tokens, scopes and limits before any answer."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from gpt_trader.exchange_sim.adapters.faults import FaultBoard, FaultKind
from gpt_trader.exchange_sim.adapters.jwt import JwtJudge
from gpt_trader.exchange_sim.adapters.keys import ApiKey, Scope
from gpt_trader.exchange_sim.adapters.rest.account_routes import account_routes
from gpt_trader.exchange_sim.adapters.rest.futures_routes import futures_routes
from gpt_trader.exchange_sim.adapters.rest.limits import RateLimit
from gpt_trader.exchange_sim.adapters.rest.market_routes import market_routes
from gpt_trader.exchange_sim.adapters.rest.order_routes import order_routes
from gpt_trader.exchange_sim.adapters.rest.v2_routes import v2_routes
from gpt_trader.exchange_sim.adapters.rest.wire import Call, Refused, Reply, Route, encode
from gpt_trader.exchange_sim.ports import Floor

_TOO_MANY = Reply(status=429, body={"errors": [{"id": "rate_limit_exceeded", "message": "Too many requests"}]})
_UNAUTHORIZED = Reply(status=401, body="Unauthorized")
_INTERNAL = Reply(
    status=500, body={"error": "INTERNAL", "error_details": "internal error", "message": "internal error"}
)
_NO_ROUTE = Reply(status=404, body="Route Not Found")
_LOST_REPLY_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class RestServer:
    """Everything a request passes before its route answers."""

    floor: Floor
    judge: JwtJudge
    faults: FaultBoard
    private_limit: RateLimit
    public_limit: RateLimit
    latency: Callable[[], float]

    def register(self, app: web.Application) -> None:
        """Add all routes; anything else is the venue's 404."""
        for route in [*market_routes(), *order_routes(), *account_routes(), *futures_routes(), *v2_routes()]:
            app.router.add_route(route.method, route.path, self._answering(route))
        app.router.add_route("*", "/{tail:.*}", self._no_route)

    def _answering(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            return await self._serve(route, request)

        return answer

    async def _serve(self, route: Route, request: web.Request) -> web.StreamResponse:
        target = f"{request.method} {request.path}"
        await self._delay(target)
        raw_body = await request.read()
        headers: dict[str, str] = {}
        key = None
        if route.scope is not None:
            key = self._authenticate(request)
            if key is None or self.faults.strike(FaultKind.REJECT_401_ONCE, target):
                return _response(_UNAUTHORIZED, headers)
        limit = self.public_limit if key is None else self.private_limit
        remaining = limit.take(str(request.remote) if key is None else key.name)
        if key is not None:
            headers = limit.headers(remaining or 0)
        if remaining is None or self.faults.strike(FaultKind.HTTP_429, target):
            return _response(_TOO_MANY, headers)
        if self.faults.strike(FaultKind.HTTP_500_BEFORE_ACCEPT, target):
            return _response(_INTERNAL, headers)
        reply = self._reply(route, request, raw_body, key)
        return await self._deliver(reply, request, headers, target)

    def _reply(self, route: Route, request: web.Request, raw_body: bytes, key: ApiKey | None) -> Reply:
        if route.scope is not None and key is not None and not _is_allowed(route, key):
            return Refused(403, "PERMISSION_DENIED", "Missing required scopes").reply
        now = self.floor.now()
        self.floor.venue.advance(now)
        self.floor.publish()
        call = Call(floor=self.floor, now=now, query=request.query, path=request.match_info, raw_body=raw_body, key=key)
        try:
            return route.answer(call)
        except Refused as refused:
            return refused.reply

    async def _deliver(
        self, reply: Reply, request: web.Request, headers: dict[str, str], target: str
    ) -> web.StreamResponse:
        if self.faults.strike(FaultKind.HTTP_500_AFTER_ACCEPT, target):
            return _response(_INTERNAL, headers)
        is_lost = self.faults.strike(FaultKind.LOST_REPLY, target) is not None
        if is_lost:
            await asyncio.sleep(_LOST_REPLY_SECONDS)
        if self.faults.strike(FaultKind.DROP_CONNECTION_AFTER_ACCEPT, target) and request.transport is not None:
            request.transport.abort()
        return _response(reply, headers)

    async def _delay(self, target: str) -> None:
        slow = self.faults.strike(FaultKind.SLOW_MS, target)
        seconds = self.latency() + (0 if slow is None else slow.value / 1000)
        if seconds:
            await asyncio.sleep(seconds)

    def _authenticate(self, request: web.Request) -> ApiKey | None:
        header = request.headers.get("Authorization", "")
        return self.judge.key_for_request(header, request.method, request.host, request.raw_path.partition("?")[0])

    @staticmethod
    async def _no_route(request: web.Request) -> web.StreamResponse:
        await request.read()
        return _response(_NO_ROUTE, {})


def _is_allowed(route: Route, key: ApiKey) -> bool:
    return route.scope in key.scopes or (route.path.endswith("/orders/preview") and Scope.TRADE in key.scopes)


def _response(reply: Reply, headers: dict[str, str]) -> web.Response:
    if isinstance(reply.body, str):
        return web.Response(status=reply.status, text=reply.body, headers=headers)
    return web.Response(status=reply.status, body=encode(reply.body), content_type="application/json", headers=headers)
