"""What holds for futures money whatever is traded and however prices move."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gpt_trader.exchange_sim.domain.accounts import CashKind, CashMoved, futures_wallet
from gpt_trader.exchange_sim.domain.delays import Delays
from gpt_trader.exchange_sim.domain.execution import Traded
from gpt_trader.exchange_sim.domain.fees import Fees
from gpt_trader.exchange_sim.domain.opening import future_listings, generated_listings
from gpt_trader.exchange_sim.domain.orders import CUSTOMER, STRANGER, OrderKind, OrderRequest, Side, Terms
from gpt_trader.exchange_sim.domain.positions import Position
from gpt_trader.exchange_sim.domain.venue import Venue

START = datetime(2026, 11, 18, 20, 59, tzinfo=UTC)
PERP, DATED = "BIP-20DEC30-CDE", "BIT-19NOV26-CDE"
TOTAL = Decimal(200000)

ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["place", "place", "place", "cancel", "close", "wait", "jump", "sweep"]),
        st.sampled_from([CUSTOMER, STRANGER]),
        st.sampled_from(list(Side)),
        st.sampled_from([PERP, DATED]),
        st.integers(1, 900),
        st.integers(-60, 60),
    ),
    max_size=25,
)


def a_venue(seed: int) -> Venue:
    def rng_of(name: str) -> Random:
        return Random(f"{seed}:{name}")

    spot = generated_listings(("BTC-USD",), seed, START, timedelta(minutes=10), rng_of)
    futures = future_listings((PERP, DATED), spot, seed, START, timedelta(minutes=10), rng_of)
    venue = Venue(
        listings=[*spot, *futures],
        fees=Fees(maker=Decimal(0), taker=Decimal(0)),
        futures_fees=Fees(maker=Decimal("0.0001"), taker=Decimal("0.0003"), per_contract=Decimal("0.15")),
        delays=Delays(),
        name=f"seed-{seed}",
        opened_at=START,
    )
    for owner in (CUSTOMER, STRANGER):
        venue.ledger.deposit(owner, "USD", TOTAL / 2)
    venue.advance(START)
    return venue


def play(venue: Venue, actions: list[Any]) -> None:
    now = START
    for number, (action, owner, side, product_id, size, offset) in enumerate(actions):
        now += timedelta(seconds=1) if action != "wait" else timedelta(minutes=size)
        venue.advance(now)
        listing = venue.listings[product_id]
        orders = list(venue.orders.values())
        limit = int(listing.last_or_start() * (1000 + offset) / 1000) // 5 * 5
        kind = OrderKind.MARKET_IOC if size % 2 else OrderKind.LIMIT_GTC
        terms = Terms(kind=kind, base_size=Decimal(size % 300 + 1), limit_price=None if size % 2 else Decimal(limit))
        request = OrderRequest(client_order_id=str(number), product_id=product_id, side=side, terms=terms, owner=owner)
        if action == "place":
            venue.create(request, now)
        elif action == "close":
            closing = Terms(kind=OrderKind.MARKET_IOC)
            venue.close_position(
                OrderRequest(client_order_id=str(number), product_id=product_id, side=side, terms=closing, owner=owner),
                now,
            )
        elif action == "cancel" and orders:
            venue.cancel(orders[size % len(orders)].order_id, now)
        elif action == "jump":
            venue.listings["BTC-USD"].conditions.price_factor *= Decimal(1000 + offset * 3) / 1000
        elif action == "sweep":
            venue.day.request_sweep(str(number), None, now)
        check(venue)


def check(venue: Venue) -> None:
    ledger = venue.ledger
    assert ledger.total("USD") == TOTAL
    cash_events = [event for event in venue.outbox if isinstance(event, CashMoved)]
    for owner in (CUSTOMER, STRANGER):
        own = [event for event in cash_events if event.owner == owner]
        wallet = ledger.balance(futures_wallet(owner), "USD")
        assert wallet.total == sum((event.amount for event in own), Decimal(0))
        assert not own or own[-1].balance == wallet.total
        assert ledger.balance(owner, "USD").available >= 0
        working = [one for one in venue.orders.values() if one.owner == owner and one.is_future]
        assert wallet.held == sum(one.hold for one in working)
        assert all(one.hold >= 0 and (not one.is_terminal or one.hold == 0) for one in working)
    check_equity(venue, cash_events)


def check_equity(venue: Venue, cash_events: list[CashMoved]) -> None:
    """Cash plus open profit is what trades, fees, funding and transfers say, however positions were netted."""
    for owner in (CUSTOMER, STRANGER):
        flows = [event.amount for event in cash_events if event.owner == owner and event.kind in _NOT_PROFIT]
        traded = Decimal(0)
        for product_id in (PERP, DATED):
            fills = [
                fill
                for event in venue.outbox
                if isinstance(event, Traded)
                for fill in event.fills
                if fill.owner == owner and fill.trade.product_id == product_id
            ]
            signed = [(fill.trade.quantity * (1 if fill.side is Side.BUY else -1), fill.trade.price) for fill in fills]
            size = Decimal("0.01")
            position = venue.desk.position(owner, product_id)
            net = sum((quantity for quantity, _ in signed), Decimal(0))
            is_expired = venue.listings[product_id].product.flags.is_disabled
            assert is_expired or net == (Decimal(0) if position is None else position.contracts)
            mark = venue.listings[product_id].last_or_start()
            traded += sum((quantity * size * (mark - price) for quantity, price in signed), Decimal(0))
        equity = venue.desk.account(owner).equity
        assert abs(equity - traded - sum(flows, Decimal(0))) < Decimal("0.000001")


_NOT_PROFIT = frozenset({CashKind.TO_FUTURES, CashKind.SWEEP, CashKind.FEE, CashKind.FUNDING, CashKind.DEFICIT})


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1000), actions=ACTIONS)
def test_futures_money_is_conserved_and_every_cent_is_reported(seed: int, actions: list[Any]) -> None:
    play(a_venue(seed), actions)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), actions=ACTIONS)
def test_the_same_seed_and_requests_give_the_same_futures_venue(seed: int, actions: list[Any]) -> None:
    first, second = a_venue(seed), a_venue(seed)

    play(first, actions)
    play(second, actions)

    assert first.outbox == second.outbox
    assert first.orders == second.orders


@settings(max_examples=200, deadline=None)
@given(trades=st.lists(st.tuples(st.integers(-50, 50).filter(bool), st.integers(100, 90000)), max_size=30))
def test_netting_pays_the_same_as_cash_flows(trades: list[tuple[int, int]]) -> None:
    position = Position(size=Decimal("0.01"))
    mark = Decimal(50000)

    paid = sum((position.trade(Decimal(change), Decimal(price)) for change, price in trades), Decimal(0))

    expected = sum((change * (mark - price) for change, price in trades), Decimal(0)) * Decimal("0.01")
    assert position.contracts == sum(change for change, _ in trades)
    assert abs(paid + position.unrealized(mark) - expected) < Decimal("0.000001")
