"""The one pooled connection to the venue's REST host; every request leaves here, signed just before."""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import aiohttp
import prometheus_client
from yarl import URL

from gpt_trader.risk_gate.adapters.budget import RateBudget
from gpt_trader.risk_gate.adapters.jwt import Tokens
from gpt_trader.risk_gate.adapters.request_log import RequestLog
from gpt_trader.risk_gate.domain.venue import Traffic
from gpt_trader.risk_gate.ports import OutcomeUnknown, VenueUnavailable

_LARGEST_ANSWER = 32 * 1024 * 1024
_IDLE_SECONDS = 15.0
"""Shorter than the venue's, so that a create rarely meets a connection that is just being closed."""
_HEADERS: Mapping[str, str] = {
    "Content-Type": "application/json",
    "User-Agent": "gpt-trader-risk-gate",
    "Accept-Encoding": "identity",
}
_KEPT_HEADERS = frozenset(
    {
        "content-type",
        "content-encoding",
        "retry-after",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
    }
)


_REQUESTS = prometheus_client.Counter("risk_gate_venue_requests", "requests by answer", ["method", "status"])
_SECONDS = prometheus_client.Histogram(
    "risk_gate_venue_seconds",
    "real time until the venue's answer",
    ["method"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
_BUDGET_USED = prometheus_client.Gauge(
    "risk_gate_rate_budget_used_fraction", "largest share of the rate budget spent at once since the last sweep"
)
_NO_ANSWER = "none"
for _method in ("GET", "POST"):
    for _status in ("429", _NO_ANSWER):
        _REQUESTS.labels(_method, _status)  # from zero on: else the first is no increase


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The venue's answer, complete; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Link(Protocol):
    """The way to a venue, whichever it is: what the last hop needs of it."""

    @property
    def budget(self) -> RateBudget:
        """What the venue lets us ask."""
        ...

    async def send(
        self, method: str, path: str, query: str = "", body: bytes | None = None, since: datetime | None = None
    ) -> Answer:
        """Send exactly these bytes, once; raises VenueUnavailable if nothing was sent, OutcomeUnknown if it may be."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTerms:
    """Where the venue is, whom to believe there, and how long one request may take."""

    host: str
    tls: ssl.SSLContext
    answer_within: timedelta
    connect_within: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueLink:
    """Sends and reads to the end, once: nothing is repeated here, no redirect followed, no cookie kept."""

    host: str
    tokens: Tokens
    budget: RateBudget
    log: RequestLog
    _session: aiohttp.ClientSession

    async def send(
        self, method: str, path: str, query: str = "", body: bytes | None = None, since: datetime | None = None
    ) -> Answer:
        """Send exactly these bytes; raises VenueUnavailable if nothing was sent, OutcomeUnknown if it may have been.

        The token's life counts from `since`: what was allowed then is not let in for longer if we were held up.
        """
        target = URL(f"https://{self.host}{path}{'?' + query if query else ''}", encoded=True)
        headers = {**_HEADERS, "Authorization": f"Bearer {self.tokens.for_request(method, path, since)}"}
        try:
            with _SECONDS.labels(method).time():
                async with self._session.request(
                    method, target, data=body, headers=headers, allow_redirects=False
                ) as response:
                    answer = Answer(
                        status=response.status,
                        headers={name.lower(): text for name, text in response.headers.items() if _is_kept(name)},
                        body=await _read(response),
                    )
        except aiohttp.ClientConnectorError as error:
            self._failed(method)
            raise VenueUnavailable(f"{method} {path}: no connection to {self.host}: {error}") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._failed(method)
            raise OutcomeUnknown(f"{method} {path}: {type(error).__name__} {error}".rstrip()) from error
        _REQUESTS.labels(method, answer.status).inc()
        self.log.answered(answer.status)
        self.budget.learn(answer.status, answer.headers)
        return answer

    def traffic(self, within: timedelta) -> Traffic:
        """Say how the venue took the requests of late."""
        requests, errors = self.log.counted(within.total_seconds())
        used = self.budget.most_used()
        _BUDGET_USED.set(float(used))
        return Traffic(requests=requests, errors=errors, budget_used=used)

    def _failed(self, method: str) -> None:
        _REQUESTS.labels(method, _NO_ANSWER).inc()
        self.log.failed()


@asynccontextmanager
async def open_link(terms: LinkTerms, tokens: Tokens, budget: RateBudget) -> AsyncIterator[VenueLink]:
    """Open the pool; the first request connects."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=terms.tls, keepalive_timeout=_IDLE_SECONDS, limit=32),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(
            total=terms.answer_within.total_seconds(), sock_connect=terms.connect_within.total_seconds()
        ),
        auto_decompress=False,
        trust_env=False,
    )
    async with session:
        log = RequestLog(elapsed=budget.elapsed)
        yield VenueLink(host=terms.host, tokens=tokens, budget=budget, log=log, _session=session)


def _is_kept(name: str) -> bool:
    return name.lower() in _KEPT_HEADERS


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _LARGEST_ANSWER:
            raise aiohttp.ClientPayloadError(f"answer over {_LARGEST_ANSWER} bytes")
    return bytes(body)
