"""Orders and fills over REST: blocking requests in small thread pools, so that cancels never wait behind anything."""

import asyncio
import contextvars
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from random import Random
from typing import Any, TypeVar

import requests
import urllib3

from gpt_trader.contracts.ids import VenueOrderId
from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.executor.adapters import parse
from gpt_trader.executor.adapters.egress_client import EgressClient
from gpt_trader.executor.domain.submission import CreateReply, Silence, Unreadable
from gpt_trader.executor.domain.venue import VenueFill, VenueOrder
from gpt_trader.executor.ports import ExchangeUnavailable, Measurements

T = TypeVar("T")
Item = TypeVar("Item", VenueOrder, VenueFill)

_PREFIX = "/api/v3/brokerage/orders"
_BATCH = f"{_PREFIX}/historical/batch"
_FILLS = f"{_PREFIX}/historical/fills"
_MOST_CANCELS = 100
_PAGE = 250
_ATTEMPTS = 3
_LONGEST_PAUSE_SECONDS = 30.0
_NOT_FOUND = 404
_TRANSPORT = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)


@dataclass(frozen=True, slots=True)
class _Lanes:
    """Threads by urgency: creates and cancels each have their own, reads share the rest."""

    creates: ThreadPoolExecutor
    cancels: ThreadPoolExecutor
    reads: ThreadPoolExecutor


@dataclass(frozen=True, slots=True, kw_only=True)
class CoinbaseExchange:
    """Implements the ports with the official client. Reads and cancels are retried, creates never."""

    client: EgressClient
    lanes: _Lanes
    rng: Random
    measurements: Measurements

    def binds(self, intent: ApprovedIntent) -> bool:
        """Read the body as the venue does."""
        return parse.binds(intent)

    async def create(self, intent: ApprovedIntent) -> CreateReply:
        """Post the approved body; the JSON library spells it as the gate did, so the bytes are the approved ones."""
        post = partial(self.client.post, _PREFIX, data=json.loads(intent.body))
        try:
            return parse.create_reply(await self._run(self.lanes.creates, post))
        except requests.HTTPError as error:
            return parse.error_status(error.response.status_code, error.response.text)
        except requests.JSONDecodeError as error:
            return Unreadable(detail=repr(error))
        except _TRANSPORT as error:
            return Silence(detail=repr(error))

    async def cancel(self, orders: Sequence[VenueOrderId]) -> None:
        """Ask in batches that the venue takes."""
        for start in range(0, len(orders), _MOST_CANCELS):
            body = {"order_ids": list(orders[start : start + _MOST_CANCELS])}
            await self._retried(
                self.lanes.cancels, "cancel", partial(self.client.post, f"{_PREFIX}/batch_cancel", data=body)
            )

    async def order(self, venue_order_id: VenueOrderId) -> VenueOrder | None:
        """Read one order; a 404 only says that it is not visible yet."""
        path = f"{_PREFIX}/historical/{venue_order_id}"

        def read() -> VenueOrder | None:
            try:
                return parse.one_order(self.client.get(path))
            except requests.HTTPError as error:
                if error.response.status_code == _NOT_FOUND:
                    return None
                raise

        return await self._retried(self.lanes.reads, "order", read)

    async def orders_since(self, start: datetime) -> Sequence[VenueOrder]:
        """List without a status filter: the venue's OPEN leaves out PENDING and QUEUED."""
        return await self._listed("orders", _BATCH, {"start_date": parse.venue_time(start)}, parse.orders_page)

    async def open_orders(self) -> Sequence[VenueOrder]:
        """List what the venue calls open, however old."""
        return await self._listed("open_orders", _BATCH, {"order_status": ["OPEN"]}, parse.orders_page)

    async def fills_of(self, venue_order_id: VenueOrderId) -> Sequence[VenueFill]:
        """List the fills of one order."""
        return await self._listed("fills", _FILLS, {"order_ids": [venue_order_id]}, parse.fills_page)

    async def fills_since(self, start: datetime) -> Sequence[VenueFill]:
        """List fills by time; the venue filters on another stamp than it shows, so ask with an overlap."""
        filters = {"start_sequence_timestamp": parse.venue_time(start)}
        return await self._listed("fills", _FILLS, filters, parse.fills_page)

    async def _listed(
        self,
        request: str,
        path: str,
        filters: dict[str, Any],
        page_of: Callable[[object], tuple[list[Item], str | None]],
    ) -> list[Item]:
        """Follow the cursor to the end: a listing is complete or it is an error."""
        found: list[Item] = []
        cursor: str | None = ""
        while cursor is not None:
            params = {**filters, "limit": _PAGE, "cursor": cursor or None}
            read = partial(_page, self.client, path, params, page_of)
            page, cursor = await self._retried(self.lanes.reads, request, read)
            found += page
        return found

    async def _retried(self, lane: ThreadPoolExecutor, request: str, call: Callable[[], T]) -> T:
        """Try three times with full jitter: random(0, min(30, 2^n)) seconds between."""
        self.measurements.asked(request)
        for attempt in range(_ATTEMPTS):
            try:
                return await self._run(lane, call)
            except (*_TRANSPORT, ValueError) as error:
                if attempt + 1 == _ATTEMPTS:
                    raise ExchangeUnavailable(f"{request}: {error!r}") from error
            self.measurements.retried(request)
            await asyncio.sleep(self.rng.uniform(0, min(_LONGEST_PAUSE_SECONDS, 2.0**attempt)))
        raise ExchangeUnavailable(request)

    async def _run(self, lane: ThreadPoolExecutor, call: Callable[[], T]) -> T:
        """Run a blocking call in a lane, within the present trace; the client's own timeout counts silence only."""
        context = contextvars.copy_context()
        async with asyncio.timeout(2 * self.client.timeout_seconds):
            return await asyncio.get_running_loop().run_in_executor(lane, lambda: context.run(call))


@contextmanager
def exchange(client: EgressClient, rng: Random, measurements: Measurements) -> Iterator[CoinbaseExchange]:
    """Open the thread pools; leaving waits for requests under way, each of which has a timeout."""
    with (
        ThreadPoolExecutor(8, "create") as creates,
        ThreadPoolExecutor(2, "cancel") as cancels,
        ThreadPoolExecutor(4, "read") as reads,
    ):
        lanes = _Lanes(creates, cancels, reads)
        yield CoinbaseExchange(client=client, lanes=lanes, rng=rng, measurements=measurements)
    client.session.close()


def _page(
    client: EgressClient,
    path: str,
    params: dict[str, Any],
    page_of: Callable[[object], tuple[list[Item], str | None]],
) -> tuple[list[Item], str | None]:
    return page_of(client.get(path, params=params))
