"""Coinbase's public REST endpoints over aiohttp: paced, bounded, retried with full jitter."""

import asyncio
import random
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

import aiohttp

from gpt_trader.contracts.market import Candle, interval_length
from gpt_trader.market_data.adapters import listings, parse
from gpt_trader.market_data.adapters.fields import Json
from gpt_trader.market_data.domain.catalogue import Listing
from gpt_trader.market_data.domain.events import Trade
from gpt_trader.market_data.ports import Malformed, TradeHistory, VenueUnavailable

GRANULARITIES = {
    "1m": "ONE_MINUTE",
    "5m": "FIVE_MINUTE",
    "15m": "FIFTEEN_MINUTE",
    "30m": "THIRTY_MINUTE",
    "1h": "ONE_HOUR",
    "2h": "TWO_HOUR",
    "4h": "FOUR_HOUR",
    "6h": "SIX_HOUR",
    "1d": "ONE_DAY",
}
_PREFIX = "/api/v3/brokerage/market"
_CANDLES_PER_REQUEST = 300
_TRADES_PER_REQUEST = 100
_TRADE_PAGES = 20
_NOT_FOUND = 404
_TOO_MANY = 429
_SERVER_ERROR = 500
_SECOND = timedelta(seconds=1)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RestSettings:
    """How patient to be. `pause` between requests keeps us under the venue's 10 per second."""

    url: str
    timeout: timedelta
    tries: int
    longest_wait: timedelta
    pause: timedelta = timedelta(milliseconds=110)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoinbaseRest:
    """The venue's catalogue, candles and trades; every failure after the last try is VenueUnavailable."""

    session: aiohttp.ClientSession
    tls: ssl.SSLContext
    settings: RestSettings
    chances: random.Random
    answered: Callable[[int], None]
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def listings(self, products: Sequence[str]) -> tuple[Listing, ...]:
        """Return the rules of those of these products that the venue lists."""
        replies = [await self._get(f"/products/{product}", {}) for product in products]
        return tuple(_read(listings.listing, reply) for reply in replies if reply is not None)

    def has_candles(self, interval: str) -> bool:
        """Whether the venue itself keeps candles of that interval."""
        return interval in GRANULARITIES

    async def candles(
        self, product: str, interval: str, span: tuple[datetime, datetime], now: datetime
    ) -> tuple[Candle, ...]:
        """Ask in pieces that the venue accepts; both ends of its range are inclusive."""
        start, end = span
        length = interval_length(interval)
        found: list[Candle] = []
        while start < end:
            piece_end = min(start + _CANDLES_PER_REQUEST * length, end)
            query = {
                "start": _seconds(start),
                "end": _seconds(piece_end - length),
                "granularity": GRANULARITIES[interval],
            }
            reply = await self._get(f"/products/{product}/candles", query)
            candles = _read(lambda document: parse.candles(document, product, interval, now), reply)
            found.extend(candle for candle in candles if start <= candle.start < piece_end)
            start = piece_end
        return tuple(found)

    async def trades(self, product: str, span: tuple[datetime, datetime]) -> TradeHistory:
        """Page back from the end; a span with more trades than we are willing to page is incomplete."""
        start, end = span
        found: dict[str, Trade] = {}
        upper = end + _SECOND
        for _ in range(_TRADE_PAGES):
            query = {"limit": str(_TRADES_PER_REQUEST), "start": _seconds(start), "end": _seconds(upper)}
            page = _read(parse.trades, await self._get(f"/products/{product}/ticker", query))
            known = len(found)
            found.update((trade.trade_id, trade) for trade in page)
            oldest = min((trade.occurred_at for trade in page), default=start)
            if len(page) < _TRADES_PER_REQUEST or oldest <= start:
                return TradeHistory(trades=_since(found, start), is_complete=True)
            if len(found) == known:
                break
            upper = oldest + _SECOND
        return TradeHistory(trades=_since(found, start), is_complete=False)

    async def _get(self, path: str, query: dict[str, str]) -> Json | None:
        """Return the reply, None for 404; retries what may pass and refuses the rest at once."""
        reason = ""
        for attempt in range(self.settings.tries):
            if attempt:
                await asyncio.sleep(self._wait(attempt))
            try:
                return await self._ask(path, query)
            except (aiohttp.ClientError, TimeoutError, Malformed) as error:
                reason = f"{type(error).__name__}: {error}"
        raise VenueUnavailable(f"GET {path}: {reason} (after {self.settings.tries} tries)")

    async def _ask(self, path: str, query: dict[str, str]) -> Json | None:
        async with self._turn:
            await asyncio.sleep(self.settings.pause.total_seconds())
        timeout = aiohttp.ClientTimeout(total=self.settings.timeout.total_seconds())
        async with self.session.get(
            self.settings.url + _PREFIX + path,
            params=query,
            ssl=self.tls,
            timeout=timeout,
            headers={"Cache-Control": "no-cache"},
            allow_redirects=False,
        ) as response:
            body = await response.read()
            self.answered(response.status)
            if response.status == _NOT_FOUND:
                return None
            if response.status >= _SERVER_ERROR or response.status == _TOO_MANY:
                response.raise_for_status()
            if not response.ok:
                raise VenueUnavailable(f"GET {path}: {response.status} {body[:200].decode(errors='replace')}")
            return parse.document(body)

    def _wait(self, attempt: int) -> float:
        longest = min(self.settings.longest_wait.total_seconds(), 2.0**attempt)
        return self.chances.uniform(0, longest)


def _since(found: dict[str, Trade], start: datetime) -> tuple[Trade, ...]:
    return tuple(trade for trade in found.values() if trade.occurred_at >= start)


def _seconds(at: datetime) -> str:
    return str(int(at.timestamp()))


def _read(reader: Callable[[Json], T], reply: Json | None) -> T:
    """Read a reply; one that cannot be read is as good as none."""
    try:
        return reader(reply)
    except Malformed as error:
        raise VenueUnavailable(f"unreadable reply: {error}") from error
