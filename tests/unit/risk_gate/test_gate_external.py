"""What others do is recognised once; what nothing explains restricts; what is ours and lost is named."""

from dataclasses import replace
from datetime import timedelta

from gate_builders import (
    BTC,
    ETH,
    FUTURE,
    NOW,
    D,
    a_fill,
    a_policy,
    a_request,
    a_state,
    an_order_event,
    approved,
    with_event,
)

from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.ids import ClientOrderId, FillId, VenueOrderId
from gpt_trader.contracts.orders import FillKind, Liquidity, OrderStatus
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.domain import commands
from gpt_trader.risk_gate.domain.consequences import of_fill
from gpt_trader.risk_gate.domain.evidence import Uncounted
from gpt_trader.risk_gate.domain.external import adopted, explained, transfers_seen
from gpt_trader.risk_gate.domain.futures.account import FuturesReport, MarginWindow, VenuePosition
from gpt_trader.risk_gate.domain.futures.books import with_futures
from gpt_trader.risk_gate.domain.gate import evolve, folded
from gpt_trader.risk_gate.domain.order_drift import orders_compared
from gpt_trader.risk_gate.domain.portfolio import value
from gpt_trader.risk_gate.domain.reconcile import compared, differing
from gpt_trader.risk_gate.domain.records import Adopted, AdoptionEnded, OrdersCompared, TransferSeen
from gpt_trader.risk_gate.domain.state import GateState, WantedAdoption
from gpt_trader.risk_gate.domain.strangers import foreign
from gpt_trader.risk_gate.domain.trading_state import CauseCode, standing
from gpt_trader.risk_gate.domain.venue import Balance, Nature, VenueFill, VenueOrder, VenueTransfer

POLICY = a_policy()


def status(state: GateState) -> TradingStatus:
    return standing(state.causes, None, NOW).status


def codes(state: GateState) -> set[str]:
    return {cause.code for cause in state.causes}


def an_order(client_order_id: str = "theirs", venue_order_id: str = "v1") -> VenueOrder:
    return VenueOrder(
        client_order_id=ClientOrderId(client_order_id),
        venue_order_id=VenueOrderId(venue_order_id),
        product=BTC,
        side=Side.BUY,
        status=OrderStatus.FILLED,
        quantity=D("0.001"),
        filled_quantity=D("0.001"),
        limit_price=D(50000),
        observed_at=NOW,
    )


def an_execution(order: VenueOrder, quantity: str = "0.001", fill_id: str = "f1") -> Uncounted:
    fill = VenueFill(
        fill_id=FillId(fill_id),
        trade_id=f"t-{fill_id}",
        venue_order_id=order.venue_order_id,
        product=order.product,
        side=order.side,
        kind=FillKind.FILL,
        quantity=D(quantity),
        price=D(50000),
        fee=D("0.5"),
        liquidity=Liquidity.TAKER,
        occurred_at=NOW,
    )
    return Uncounted(fill, order)


def reset(state: GateState, payload: bytes = b"") -> GateState:
    return evolve(state, commands.received(subjects.CONTROL_RESET, payload, 9, state, NOW))


def a_transfer(
    amount: str, own: str = "t1", currency: str = "USD", minutes: int = -5, nature: Nature = Nature.TRANSFER
) -> VenueTransfer:
    at = NOW + timedelta(minutes=minutes)
    return VenueTransfer(transfer_id=own, currency=currency, amount=D(amount), nature=nature, kind=f"a_{nature}", at=at)


def test_a_stranger_is_noted_once_and_halts_until_a_reset_with_a_reason() -> None:
    halted = folded(foreign(a_state(POLICY), (an_order(),), NOW), a_state(POLICY))
    again = folded(foreign(halted, (an_order(),), NOW), halted)
    silent = reset(halted)
    excused = reset(halted, b'{"reason": "by hand", "orders": ["v1"]}')

    assert (status(halted), again) == (TradingStatus.HALTED, halted)
    assert status(folded(foreign(silent, (an_order(),), NOW), silent)) is TradingStatus.HALTED
    assert foreign(excused, (an_order(),), NOW) == ()
    assert status(folded(foreign(excused, (an_order(venue_order_id="v2"),), NOW), excused)) is TradingStatus.HALTED


def test_a_reset_excuses_exactly_the_orders_it_names_and_only_with_a_reason() -> None:
    both = (an_order(venue_order_id="v1"), an_order(venue_order_id="v2"))
    halted = folded(foreign(a_state(POLICY), both, NOW), a_state(POLICY))
    (cause,) = halted.causes
    one = reset(halted, b'{"reason": "by hand", "orders": ["v1"]}')
    nameless = reset(halted, b'{"orders": ["v1", "v2"]}')
    later = folded(foreign(one, (an_order(venue_order_id="v3"),), NOW), one)

    assert cause.orders == ("v1", "v2")
    assert [(kept.code, kept.orders) for kept in one.causes] == [(CauseCode.UNAPPROVED_ORDER, ("v2",))]
    assert [kept.orders for kept in later.causes] == [("v2", "v3")]
    assert nameless.causes == halted.causes
    assert codes(reset(halted, b'{"reason": "by hand", "orders": ["v1", "v2"]}')) == set()


def test_a_liquidation_by_the_venue_has_a_cause_of_its_own_and_its_fill_counts_at_once() -> None:
    before = a_state(POLICY, cash="1000", positions={FUTURE: ("0.05", "50000")})
    order = replace(
        an_order("liquidation-7", "v9"), product=FUTURE, side=Side.SELL, quantity=D("0.05"), is_liquidation=True
    )
    fill = replace(an_execution(order, "0.05"), fill=replace(an_execution(order, "0.05").fill, price=D(49000)))

    halted = folded(foreign(before, (order,), NOW), before)
    gone = folded(explained(halted, (fill,), NOW), halted)
    after = reset(gone, b'{"reason": "funded", "orders": ["v9"]}')

    assert codes(halted) == {CauseCode.VENUE_LIQUIDATION}
    assert status(halted) is TradingStatus.HALTED
    assert gone.portfolio.quantity(FUTURE) == 0
    assert gone.portfolio.cash["USD"] == 1000 - 50 - D("0.5")
    assert (status(after), after.strangers) == (TradingStatus.ACTIVE, {})


def test_an_order_that_the_venue_only_later_calls_its_own_is_blamed_on_nobody_else() -> None:
    order = replace(an_order("liquidation-7", "v9"), product=FUTURE)
    blamed = folded(foreign(a_state(POLICY), (order,), NOW), a_state(POLICY))
    told = folded(foreign(blamed, (replace(order, is_liquidation=True),), NOW), blamed)

    assert codes(blamed) == {CauseCode.UNAPPROVED_ORDER}
    assert codes(told) == {CauseCode.VENUE_LIQUIDATION}
    assert foreign(told, (order,), NOW) == ()


def test_a_late_fill_of_an_order_that_is_over_is_ours_if_it_is_what_was_approved() -> None:
    state, intent = approved(a_state(POLICY), POLICY, a_request())
    over = with_event(state, an_order_event(intent, OrderStatus.CANCELED))

    assert intent.client_order_id not in over.approvals
    assert of_fill(a_fill(intent, intent.quantity), over, POLICY, NOW) == ()
    (other,) = of_fill(a_fill(intent, intent.quantity, product=ETH), over, POLICY, NOW)
    assert other.code == CauseCode.UNEXPLAINED_FILL


def test_a_trade_made_elsewhere_counts_once_it_is_acknowledged_and_not_before() -> None:
    before = a_state(POLICY, cash="1000")
    halted = folded(explained(before, (an_execution(an_order()),), NOW), before)
    excused = reset(halted, b'{"reason": "by hand", "orders": ["v1"]}')
    after = folded(explained(excused, (an_execution(an_order()),), NOW), excused)
    twice = folded(explained(after, (an_execution(an_order()),), NOW), after)

    assert halted.portfolio.quantity(BTC) == 0
    assert status(halted) is TradingStatus.HALTED
    assert (after.portfolio.quantity(BTC), after.portfolio.cash["USD"]) == (D("0.001"), D("949.5"))
    assert after.portfolio.holdings[BTC].strategy == "external"
    assert twice.portfolio == after.portfolio
    assert after.fills == before.fills


def test_an_execution_of_ours_that_nobody_reported_is_named_until_it_is_counted() -> None:
    state, intent = approved(a_state(POLICY), POLICY, a_request())
    ours = replace(an_order(intent.client_order_id), quantity=intent.quantity)

    short = folded(explained(state, (an_execution(ours, fill_id="lost"),), NOW), state)
    found = folded(explained(short, (), NOW), short)

    assert status(short) is TradingStatus.REDUCE_ONLY
    assert any("lost" in cause.detail for cause in short.causes)
    assert codes(found) == set()


def test_only_transfers_after_the_opening_count_and_only_with_a_mark() -> None:
    state = a_state(POLICY, cash="1000")
    listed = (a_transfer("50"), a_transfer("1", "t2", "BTC"), a_transfer("70", "t0", minutes=-600))

    without = transfers_seen(state, listed, {}, "USD", NOW)
    both = transfers_seen(state, listed, {BTC: D(50000)}, "USD", NOW)
    after = folded(both, state)

    assert [one.transfer_id for one in without if isinstance(one, TransferSeen)] == ["t1"]
    assert [one.transfer_id for one in both if isinstance(one, TransferSeen)] == ["t1", "t2"]
    assert after.portfolio.transfers == 50050
    assert after.day_start_equity == 51050
    assert transfers_seen(after, listed, {BTC: D(50000)}, "USD", NOW) == ()


def test_income_is_profit_a_sweep_between_our_wallets_is_nothing_and_an_unclassed_type_restricts() -> None:
    state = a_state(POLICY, cash="1000")

    def after(nature: Nature, amount: str = "-3") -> GateState:
        return folded(transfers_seen(state, (a_transfer(amount, nature=nature),), {}, "USD", NOW), state)

    charged, swept, unclassed = after(Nature.INCOME), after(Nature.INTERNAL), after(Nature.UNKNOWN)
    (cause,) = unclassed.causes

    assert (charged.portfolio.cash["USD"], charged.portfolio.income, charged.portfolio.transfers) == (997, -3, 0)
    assert charged.day_start_equity == state.day_start_equity
    assert swept == state
    assert unclassed.portfolio == state.portfolio
    assert (cause.code, cause.status) == (CauseCode.UNKNOWN_TRANSACTION, TradingStatus.REDUCE_ONLY)
    assert "a_unknown -3 USD (t1)" in cause.detail


def test_a_difference_of_more_than_a_hundredth_of_equity_halts_and_a_smaller_one_reduces() -> None:
    state = replace(a_state(POLICY, cash="1000"), mismatches=POLICY.reconcile.mismatches - 1)

    small = folded(compared(state, (Balance(currency="USD", total=D(991), hold=D(0)),), {}, POLICY, NOW), state)
    large = folded(compared(state, (Balance(currency="USD", total=D(989), hold=D(0)),), {}, POLICY, NOW), state)

    assert (status(small), codes(small)) == (TradingStatus.REDUCE_ONLY, {CauseCode.BALANCE_MISMATCH})
    assert (status(large), codes(large)) == (TradingStatus.HALTED, {CauseCode.BALANCE_DRIFT})


def test_a_position_nobody_knows_the_worth_of_halts() -> None:
    state = a_state(POLICY, cash="1000")
    balances = (Balance(currency="USD", total=D(1000), hold=D(0)), Balance(currency=FUTURE, total=D(5), hold=D(0)))

    for _ in range(POLICY.reconcile.mismatches):
        state = folded(compared(state, balances, {}, POLICY, NOW), state)

    assert codes(state) == {CauseCode.BALANCE_DRIFT}


def test_an_adoption_takes_over_exactly_the_totals_that_were_named() -> None:
    state = reset(folded(foreign(a_state(POLICY, cash="1000"), (an_order(),), NOW), a_state(POLICY, cash="1000")))
    state = evolve(state, commands.received(subjects.CONTROL_PAUSE, b"", 10, state, NOW))
    differences = differing(state, (Balance(currency="USD", total=D(990), hold=D(0)),), {}, POLICY)

    def asked(usd: str) -> GateState:
        payload = f'{{"reason": "fee", "books": {{"USD": "{usd}"}}}}'.encode()
        return evolve(state, commands.received(subjects.CONTROL_ADOPT, payload, 11, state, NOW))

    wrong, right = asked("980"), asked("990")
    (refused,) = adopted(wrong, differences, {}, "USD", NOW)
    after = folded(adopted(right, differences, {}, "USD", NOW), right)

    assert isinstance(refused, AdoptionEnded)
    assert refused.note.startswith("refused")
    assert (after.portfolio.cash["USD"], after.portfolio.transfers, after.adoption) == (990, -10, None)


def test_a_transfer_that_an_adoption_took_over_is_not_counted_again_when_the_venue_tells_of_it() -> None:
    before = a_state(POLICY, cash="1000")
    taken = Adopted(
        sequence=1, currency="USD", product=None, before=D(1000), after=D(400), mark=D(1), reason="moved out", at=NOW
    )
    state = evolve(before, taken)

    assert len(transfers_seen(before, (a_transfer("-600"),), {}, "USD", NOW)) == 1
    assert transfers_seen(state, (a_transfer("-600"),), {}, "USD", NOW) == ()
    assert (
        len(transfers_seen(state, (a_transfer("5", minutes=1), a_transfer("1", "t2", "BTC")), {BTC: D(1)}, "USD", NOW))
        == 2
    )


def test_adopting_a_futures_position_away_books_what_it_had_gained_and_agrees_with_the_venue_at_once() -> None:
    """The venue closed 2 of 5 contracts' worth at 120 that cost 100 each, and nothing told us."""
    before = a_state(POLICY, cash="1000", positions={FUTURE: ("5", "100")})
    marks = {FUTURE: D(120)}
    left = VenuePosition(product=FUTURE, quantity=D(3), price=D(120), unrealized=D(60))
    report = FuturesReport(
        cash=D(40),
        initial=D(0),
        maintenance=D(0),
        window=MarginWindow.INTRADAY,
        window_ends_at=NOW,
        has_intraday_rates=True,
        positions=(left,),
    )
    spot = (Balance(currency="USD", total=D(1000), hold=D(0)),)
    differences = differing(before, with_futures(before, spot, report, "USD"), marks, POLICY)
    wanted = WantedAdoption(sequence=1, books={one.currency: one.venue for one in differences}, reason="by hand")
    asked = replace(before, adoption=wanted)

    after = folded(adopted(asked, differences, marks, "USD", NOW), asked)
    worth = value(after.portfolio, marks, "USD")
    gained = value(before.portfolio, marks, "USD")

    assert differing(after, with_futures(after, spot, report, "USD"), marks, POLICY) == ()
    assert after.portfolio.holdings[FUTURE].realized == 2 * (120 - 100)
    assert worth is not None
    assert gained is not None
    assert worth.equity == gained.equity == 1000 + 40 + 60
    assert (after.day_start_equity, after.portfolio.transfers) == (before.day_start_equity, 0)


def test_a_short_at_the_venue_is_adopted_by_its_negative_total() -> None:
    state = evolve(a_state(POLICY), commands.received(subjects.CONTROL_PAUSE, b"", 1, a_state(POLICY), NOW))
    payload = f'{{"reason": "by hand", "books": {{"{FUTURE}": "-0.05"}}}}'.encode()

    wanted = evolve(state, commands.received(subjects.CONTROL_ADOPT, payload, 2, state, NOW)).adoption

    assert wanted is not None
    assert wanted.books == {FUTURE: D("-0.05")}


def test_an_adoption_is_refused_while_entries_are_allowed_and_without_a_reason() -> None:
    state = a_state(POLICY)

    active = commands.received(subjects.CONTROL_ADOPT, b'{"reason": "x", "books": {"USD": "1"}}', 1, state, NOW)
    nameless = commands.received(subjects.CONTROL_ADOPT, b'{"books": {"USD": "1"}}', 2, state, NOW)

    assert active.note.startswith("refused: entries are allowed")
    assert nameless.note.startswith("refused")
    assert evolve(state, active).adoption is None


def test_an_order_open_on_one_side_only_pauses_at_the_third_look_in_a_row() -> None:
    state, intent = approved(a_state(POLICY), POLICY, a_request())
    state = with_event(state, an_order_event(intent, OrderStatus.OPEN))
    listed = replace(an_order(intent.client_order_id), status=OrderStatus.OPEN)

    assert orders_compared(state, (listed,), POLICY, NOW) == ()
    twice = state
    for _ in range(2):
        twice = folded(orders_compared(twice, (), POLICY, NOW), twice)
    healed = folded(orders_compared(twice, (listed,), POLICY, NOW), twice)
    thrice = folded(orders_compared(twice, (), POLICY, NOW), twice)

    assert (status(twice), status(thrice)) == (TradingStatus.ACTIVE, TradingStatus.PAUSED)
    assert (healed.order_drifts, codes(healed)) == ({}, set())


def test_a_resume_lifts_order_drift_only_after_a_look_that_agrees() -> None:
    state, intent = approved(a_state(POLICY), POLICY, a_request())
    state = with_event(state, an_order_event(intent, OrderStatus.OPEN))
    for _ in range(3):
        state = folded(orders_compared(state, (), POLICY, NOW), state)

    early = commands.received(subjects.CONTROL_RESUME, b"{}", 9, state, NOW)
    agreed = folded(orders_compared(state, (an_order(intent.client_order_id),), POLICY, NOW), state)
    late = commands.received(subjects.CONTROL_RESUME, b"{}", 9, agreed, NOW)

    assert (early.cleared, early.note) == ((), "accepted: the books still differ, so order_drift stays")
    assert [cause.code for cause in late.cleared] == ["order_drift"]


def test_an_order_that_is_over_for_us_and_open_at_the_venue_drifts_too() -> None:
    state, intent = approved(a_state(POLICY), POLICY, a_request())
    ended = with_event(state, an_order_event(intent, OrderStatus.CANCELED))

    (record,) = orders_compared(
        ended, (replace(an_order(intent.client_order_id), status=OrderStatus.OPEN),), POLICY, NOW
    )

    assert isinstance(record, OrdersCompared)
    assert record.drifting == (intent.client_order_id,)
