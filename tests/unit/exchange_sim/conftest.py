"""A small venue with a scripted market, driven at chosen times."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from gpt_trader.exchange_sim.domain.candles import CandleSeries, no_past
from gpt_trader.exchange_sim.domain.delays import Delays
from gpt_trader.exchange_sim.domain.execution import OrderChanged
from gpt_trader.exchange_sim.domain.fees import Fees
from gpt_trader.exchange_sim.domain.listing import Listing
from gpt_trader.exchange_sim.domain.markets import MarketStep
from gpt_trader.exchange_sim.domain.orders import CUSTOMER, STRANGER, Order, OrderKind, OrderRequest, Side, Terms
from gpt_trader.exchange_sim.domain.products import product_of
from gpt_trader.exchange_sim.domain.validation import Accepted, Refusal
from gpt_trader.exchange_sim.domain.venue import Venue

START = datetime(2026, 1, 1, tzinfo=UTC)
FEES = Fees(maker=Decimal("0.001"), taker=Decimal("0.002"))


@dataclass(slots=True)
class ScriptedMarket:
    """Steps that a test wrote down."""

    steps: list[MarketStep] = field(default_factory=list)

    def next_at(self) -> datetime | None:
        return self.steps[0].at if self.steps else None

    def step(self) -> MarketStep:
        return self.steps.pop(0)


@dataclass(slots=True)
class Bench:
    """A venue whose book holds only what a test puts there."""

    venue: Venue
    now: datetime = START
    count: int = 0

    def place(
        self, side: str, kind: OrderKind = OrderKind.LIMIT_GTC, owner: str = CUSTOMER, **terms: object
    ) -> Accepted | Refusal:
        self.count += 1
        client_order_id = str(terms.pop("client_order_id", f"client-{self.count}"))
        amounts = {name: Decimal(value) if type(value) is str else value for name, value in terms.items()}
        attached = amounts.pop("attached", None)
        request = OrderRequest(
            client_order_id=client_order_id,
            product_id="BTC-USD",
            side=Side(side),
            terms=Terms(kind=kind, **amounts),  # type: ignore[arg-type]
            attached=attached,  # type: ignore[arg-type]
            owner=owner,
        )
        return self.venue.create(request, self.now)

    def order(self, side: str, kind: OrderKind = OrderKind.LIMIT_GTC, **terms: object) -> Order:
        outcome = self.place(side, kind, **terms)  # type: ignore[arg-type]
        assert isinstance(outcome, Accepted), outcome
        return self.venue.orders[outcome.order_id]

    def stranger(self, side: str, size: str, price: str) -> Order:
        return self.order(side, owner=STRANGER, base_size=size, limit_price=price)

    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.venue.advance(self.now)

    def available(self, currency: str) -> Decimal:
        return self.venue.ledger.balance(CUSTOMER, currency).available

    def events(self, order: Order) -> list[str]:
        changes = [event for event in self.venue.outbox if isinstance(event, OrderChanged)]
        return [event.event for event in changes if event.order_id == order.order_id]


def make_bench(steps: list[MarketStep] | None = None, delays: Delays | None = None) -> Bench:
    product = product_of("BTC-USD", Decimal(100))
    listing = Listing(
        product=product,
        stream=ScriptedMarket(steps or []),
        candles=CandleSeries(int(START.timestamp()), no_past),
    )
    venue = Venue(listings=[listing], fees=FEES, delays=delays or Delays(), name="test", opened_at=START)
    for owner in (CUSTOMER, STRANGER, "neighbour"):
        venue.ledger.deposit(owner, "USD", Decimal(1000000))
        venue.ledger.deposit(owner, "BTC", Decimal(1000))
    return Bench(venue)


@pytest.fixture
def bench() -> Bench:
    return make_bench()


@pytest.fixture
def bench_with() -> Callable[..., Bench]:
    return make_bench
