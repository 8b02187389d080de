"""The shell: record first, then follow what was denied; nothing is acknowledged before it is on disk."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import prometheus_client

from gpt_trader.contracts.account import AccountSnapshot
from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.market import Candle, Tick
from gpt_trader.contracts.orders import Fill, OrderEvent
from gpt_trader.learning.domain.counterfactuals import (
    Counterfactual,
    Denial,
    Ended,
    counterfactual,
    denial_of,
    expired,
    follow,
)
from gpt_trader.learning.domain.records import Kind, Place, Row, decision_row, fill_row, order_row
from gpt_trader.learning.ports import FeedbackStore, MarketHistory, StoreError
from gpt_trader.runtime import logs
from gpt_trader.runtime.bus.received import Received
from gpt_trader.runtime.clock import Clock
from gpt_trader.runtime.health import Health

log = logs.get("learning")

RECORDED = prometheus_client.Counter("learning_rows_recorded", "rows on disk, redeliveries included", ["kind"])
FOLLOWED = prometheus_client.Gauge("learning_denials_followed", "denied entries whose path has not ended")
FAILURES = prometheus_client.Counter("learning_store_failures", "times that the store could not be written or read")

_LATENESS = timedelta(seconds=2)
"""Real time that a tick may need to reach us; a horizon is not called passed before."""
_SETTLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How long a denied entry is followed, and what its orders would have cost."""

    horizon: timedelta
    taker_fee_bps: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """When rows are merged into Parquet: after so long (real time), or as soon as so many wait.

    What was delivered but not acknowledged when we stopped or the store failed comes again after later messages;
    closed trades are recorded only when that is `redelivery` (real time) ago.
    """

    seconds: timedelta
    rows: int
    redelivery: timedelta


@dataclass(slots=True)
class Learning:
    """Records what happened and follows what was prevented.

    `started_at` is trading time; `disturbed_at` the real time of the last start or refusal, after which messages may
    come out of order; `ended` waits for the next `settle`; `troubles` are the kinds of work that the store refuses now.
    """

    store: FeedbackStore
    history: MarketHistory
    clock: Clock
    terms: Terms
    started_at: datetime
    disturbed_at: datetime
    following: dict[str, dict[str, Denial]] = field(default_factory=dict)
    ended: list[Row] = field(default_factory=list)
    troubles: dict[str, str] = field(default_factory=dict)
    are_books_right: bool = False

    async def resume(self) -> None:
        """Follow again what the last run left unended, from the candles that were published since."""
        for row in await self.store.unresolved():
            await self._watch(Decision.decode(row.payload), row.place)

    async def on_decision(self, decision: Decision, received: Received) -> None:
        """Record a verdict; a denied entry is followed from here on."""
        place = _place(received)
        await self._record(decision_row(decision, received.payload.decode(), place))
        await self._watch(decision, place)

    async def on_order(self, event: OrderEvent, received: Received) -> None:
        """Record a step of an order."""
        await self._record(order_row(event, received.payload.decode(), _place(received)))

    async def on_fill(self, fill: Fill, received: Received) -> None:
        """Record an execution."""
        await self._record(fill_row(fill, received.payload.decode(), _place(received)))

    async def on_account(self, account: AccountSnapshot, _received: Received) -> None:
        """Note whether the gate's books agree with the venue's: nothing is concluded from trades while they don't."""
        if account.is_reconciled is not self.are_books_right:
            log.warning("books_agree" if account.is_reconciled else "books_differ", transfers=str(account.transfers))
        self.are_books_right = account.is_reconciled

    async def on_tick(self, tick: Tick, _received: Received) -> None:
        """Move the followed entries of the product."""
        self._advance(tick)

    async def on_candle(self, candle: Candle, _received: Received) -> None:
        """Fill the gaps between ticks."""
        self._advance(candle)

    async def settle(self, now: datetime) -> None:
        """End what is past its horizon and write what has ended; raises StoreError, after which it can be repeated."""
        for denials in self.following.values():
            self._keep([expired(denial) for denial in denials.values() if denial.expires_at <= now])
        rows = tuple(self.ended)
        if rows:
            await self.store.append(rows)
            del self.ended[: len(rows)]
            RECORDED.labels(Kind.COUNTERFACTUAL).inc(len(rows))
        FOLLOWED.set(sum(map(len, self.following.values())))

    async def keep(self, batches: Batches, health: Health) -> None:
        """Settle each second and merge in batches, for ever; while the store fails, say so and try again."""
        due_at = self.clock.wall()
        is_complete = False
        while True:
            with self._noticed("settle"):
                await self.settle(self.clock.now() - self.clock.stretch(_LATENESS))
            wall = self.clock.wall()
            is_complete = is_complete and not self.store.waiting
            if (wall >= due_at and not is_complete) or self.store.waiting >= batches.rows:
                due_at = wall + batches.seconds
                is_orderly = self.are_books_right and wall - self.disturbed_at > batches.redelivery
                with self._noticed("merge"):
                    await self.store.compact(with_trades=is_orderly)
                    is_complete = is_orderly
            health.ready(not self.troubles, "; ".join(self.troubles.values()))
            await asyncio.sleep(_SETTLE_SECONDS)

    @contextmanager
    def _noticed(self, work: str) -> Iterator[None]:
        """Remember that some work fails until it succeeds again; nothing is lost meanwhile."""
        try:
            yield
        except StoreError as error:
            self._failed(work, error)
        else:
            self.troubles.pop(work, None)

    def _failed(self, work: str, error: StoreError) -> None:
        FAILURES.inc()
        log.warning("store_failed", work=work, reason=str(error))
        self.troubles[work] = str(error)

    async def _record(self, row: Row) -> None:
        try:
            await self.store.append((row,))
        except StoreError as error:
            self._failed("record", error)
            self.disturbed_at = self.clock.wall()
            raise
        self.troubles.pop("record", None)
        RECORDED.labels(row.kind).inc()
        log.info("recorded", kind=row.kind, id=row.row_id, product=row.product)

    async def _watch(self, decision: Decision, place: Place) -> None:
        denial = denial_of(decision, self.terms.horizon, place)
        if denial is None or denial.decision_id in self.following.get(denial.product, {}):
            return
        step = await self._caught_up(denial) if denial.denied_at < self.started_at else denial
        self.following.setdefault(denial.product, {})[denial.decision_id] = denial
        self._settle_step(step)

    async def _caught_up(self, denial: Denial) -> Denial | Ended:
        step: Denial | Ended = denial
        async for candle in self.history.candles(denial.product, denial.place.stored_at):
            step = follow(denial, candle)
            if isinstance(step, Ended):
                break
            denial = step
        return step

    def _advance(self, market: Tick | Candle) -> None:
        for denial in tuple(self.following.get(market.product, {}).values()):
            self._settle_step(follow(denial, market))

    def _settle_step(self, step: Denial | Ended) -> None:
        if isinstance(step, Ended):
            self._keep([step])
        else:
            self.following[step.product][step.decision_id] = step

    def _keep(self, ended: Iterable[Ended]) -> None:
        for end in ended:
            del self.following[end.denial.product][end.denial.decision_id]
            self.ended.append(_result_row(counterfactual(end, self.terms.taker_fee_bps), end.denial.place))


def _place(received: Received) -> Place:
    if received.stored_at is None or received.sequence is None:
        raise ValueError(f"{received.subject}: not from a stream, so its place is unknown")
    return Place(stored_at=received.stored_at, sequence=received.sequence)


def _result_row(result: Counterfactual, place: Place) -> Row:
    return Row(
        kind=Kind.COUNTERFACTUAL,
        row_id=result.decision_id,
        product=result.product,
        strategy=result.strategy,
        occurred_at=result.denied_at,
        place=place,
        payload=result.encode().decode(),
    )
