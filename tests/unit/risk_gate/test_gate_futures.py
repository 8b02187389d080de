"""Futures in the gate's domain: worst case, books, margin ahead, and what the gate has to close."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import chain, combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt_trader.contracts.decisions import MarketView, Verdict
from gpt_trader.contracts.ids import SignalId
from gpt_trader.contracts.market import FutureTerms, ProductSpec
from gpt_trader.contracts.signals import Action, Side
from gpt_trader.risk_gate.domain.checks.case import Request
from gpt_trader.risk_gate.domain.exposure import Approvals
from gpt_trader.risk_gate.domain.futures.account import FuturesAccount, FuturesReport, MarginWindow, VenuePosition
from gpt_trader.risk_gate.domain.futures.books import paid_by_itself, with_futures
from gpt_trader.risk_gate.domain.futures.reduction import reduction
from gpt_trader.risk_gate.domain.gate import evolve, folded
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.portfolio import Portfolio, value
from gpt_trader.risk_gate.domain.portfolio import evolve as traded
from gpt_trader.risk_gate.domain.records import CauseRaised, FundingPaid, MarginSeen, Record
from gpt_trader.risk_gate.domain.review import review
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.trading_state import CauseCode
from gpt_trader.risk_gate.domain.venue import Balance
from tests.unit.risk_gate.gate_builders import (
    NOW,
    D,
    a_fill,
    a_market,
    a_policy,
    a_request,
    a_signal,
    a_spec,
    a_state,
    a_trade,
    approved,
    exposed,
    failures,
    with_fill,
)

BIP = "BIP-20DEC30-CDE"
HOUR = timedelta(hours=1)
RATES = {
    "intraday_margin_long": D("0.1"),
    "intraday_margin_short": D("0.1"),
    "overnight_margin_long": D("0.2"),
    "overnight_margin_short": D("0.22"),
}
TERMS = FutureTerms(contract_size=D("0.01"), expires_at=NOW + timedelta(days=300), **RATES)
WIDE: dict[str, object] = {
    "exposure__per_asset_fraction": "0.9",
    "exposure__total_fraction": "0.9",
    "limits__max_order_notional": 10**6,
    "limits__max_position_notional": 10**6,
    "limits__max_leverage": 9,
    "sizing__max_entry_notional": 10**6,
}
"""Limits that a future would meet before its own."""


def a_bip_spec(**changes: object) -> ProductSpec:
    fields = {"quote_currency": "USD", "kind": "future", "base_currency": "BTC", "future": TERMS}
    sizes = {"base_increment": D("0.01"), "base_min_size": D("0.01"), "base_max_size": D(1000), "quote_min_size": D(0)}
    return a_spec(BIP, **fields, **sizes, price_increment=D(5), **changes)


def a_bip_market(**changes: object) -> MarketView:
    return a_market(BIP, **({"spec": a_bip_spec()} | changes))


def an_account(**changes: Any) -> FuturesAccount:
    account = FuturesAccount(
        cash=D(20000),
        initial=D(0),
        maintenance=D(0),
        buffer=None,
        window=MarginWindow.INTRADAY,
        window_ends_at=NOW + 9 * HOUR,
        has_intraday_rates=True,
        terms={BIP: TERMS},
        seen_at=NOW,
    )
    return replace(account, **changes)


def a_futures_state(policy: Policy, account: FuturesAccount | None = None, **changes: Any) -> GateState:
    return evolve(a_state(policy, **changes), MarginSeen(account=account or an_account(), at=NOW))


def asks(side: Side, action: Action = Action.ENTER, **changes: Any) -> Request:
    named = SignalId(f"{action}-{side}")
    signal = a_signal(signal_id=named, product=BIP, side=side, action=action, stop_price=None, target_price=None)
    return a_request(signal=signal, market=a_bip_market(), **changes)


@pytest.mark.parametrize("side", list(Side))
def test_an_entry_of_either_side_is_approved_in_contracts(side: Side) -> None:
    policy = a_policy()

    _, intent = approved(a_futures_state(policy), policy, asks(side))

    assert intent.contract_size == D("0.01")
    assert f'"base_size": "{intent.quantity / D("0.01"):f}"'.replace(".0", "") in intent.body
    assert intent.reserved_notional > 0


def test_spot_is_never_entered_short() -> None:
    found = review(a_request(signal=a_signal(side=Side.SELL)), a_state(), a_policy())

    assert failures(found)["side_fits_action"].limit == "spot is never held short"


def test_a_short_is_exited_by_a_buy_of_no_more_than_is_held() -> None:
    policy = a_policy()
    state, intent = approved(a_futures_state(policy), policy, asks(Side.SELL))
    state = with_fill(state, a_fill(intent, intent.quantity))

    found = review(asks(Side.BUY, Action.EXIT), state, policy)

    assert found.verdict is Verdict.APPROVED, failures(found)
    assert found.quantity == -state.portfolio.quantity(BIP)
    against = review(asks(Side.BUY), state, policy)
    assert "side_fits_action" in failures(against)


@pytest.mark.parametrize(
    ("changes", "account", "rule"),
    [
        ({"futures__is_allowed": False}, {}, "futures_are_allowed"),
        ({"futures__max_leverage": "0.001"}, {}, "futures_leverage_is_within_limit"),
        ({"futures__exposure_fraction": "0.001"}, {}, "futures_exposure_is_within_share"),
        ({"futures__position_fraction": "0.001"}, {}, "futures_position_is_within_share"),
        ({}, {"cash": D(0)}, "liquidation_buffer_is_kept"),
        ({}, {"seen_at": NOW - HOUR}, "initial_margin_is_covered"),
        ({"futures__no_entry_before_expiry_seconds": 10**8}, {}, "contract_lives_on"),
    ],
)
def test_each_limit_denies_by_name_on_both_sides(changes: dict[str, object], account: Any, rule: str) -> None:
    policy = a_policy(**changes)
    state = a_futures_state(policy, an_account(**account))

    for side in Side:
        assert rule in failures(review(asks(side), state, policy))


def test_the_rates_of_the_next_window_count_within_the_lead_time() -> None:
    policy = a_policy()
    thin = an_account(cash=D(100))
    near = replace(thin, window_ends_at=NOW + timedelta(minutes=30))

    assert not failures(review(asks(Side.BUY), a_futures_state(policy, thin), policy))
    assert failures(review(asks(Side.BUY), a_futures_state(policy, near), policy)).keys() == {
        "liquidation_buffer_is_kept"
    }


@given(
    position=st.integers(-20, 20),
    orders=st.lists(st.tuples(st.sampled_from(list(Side)), st.integers(1, 9)), max_size=5),
)
@settings(max_examples=80, deadline=None)
def test_the_worst_case_is_that_of_the_worst_subset_of_fills(position: int, orders: list[tuple[Side, int]]) -> None:
    policy = a_policy(worst_fee_bps=0)
    state, intent = approved(a_futures_state(policy), policy, asks(Side.BUY))
    approval = state.approvals[intent.client_order_id]
    mark = D(50000)
    open_orders = {
        str(number): replace(
            approval, client_order_id=str(number), side=side, quantity=D(size), reserved=size * mark, mark=mark
        )
        for number, (side, size) in enumerate(orders)
    }
    portfolio = Portfolio()
    if position:
        portfolio = traded(
            portfolio, a_trade(Side.BUY if position > 0 else Side.SELL, D(abs(position)), mark, product=BIP)
        )

    found = exposed(GateState(portfolio=portfolio, approvals=Approvals(open_orders)), {BIP: mark}).of(BIP)  # type: ignore[arg-type]  # ids are plain text here

    subsets = chain.from_iterable(combinations(orders, count) for count in range(len(orders) + 1))
    assert found == max(abs(position + sum(side.sign * size for side, size in one)) for one in subsets) * mark


trades = st.tuples(st.sampled_from(list(Side)), st.integers(1, 9), st.integers(40000, 60000), st.integers(0, 300))


@given(made=st.lists(trades, max_size=12), mark=st.integers(40000, 60000), funding=st.integers(-500, 500))
@settings(max_examples=80, deadline=None)
def test_equity_is_cash_and_open_profit_whatever_is_traded_both_ways(
    made: list[tuple[Side, int, int, int]], mark: int, funding: int
) -> None:
    portfolio = Portfolio(cash={"USD": D(100000)})
    gained = D(0)
    for number, (side, size, price, fee) in enumerate(made):
        trade = a_trade(side, D(size) / 100, D(price), number=number, product=BIP, fee=D(fee) / 100)
        portfolio = traded(portfolio, trade)
        gained += side.sign * D(size) / 100 * (mark - price) - D(fee) / 100
    state = replace(GateState(), portfolio=portfolio)
    paid = FundingPaid(funding_id="2026-11-18T14", amount=D(funding) / 100, at=NOW)

    state = folded((paid, paid), state)

    valuation = value(state.portfolio, {BIP: D(mark)}, "USD")
    assert valuation is not None
    assert abs(valuation.equity - (100000 + gained + D(funding) / 100)) < D("1e-15")
    assert state.funding == D(funding) / 100


@given(
    sides=st.lists(st.sampled_from(list(Side)), min_size=1, max_size=6),
    cash=st.integers(100, 50000),
    fraction=st.decimals("0.01", "0.9", places=2),
)
@settings(max_examples=40, deadline=None)
def test_what_is_approved_never_exceeds_a_cap_on_either_side(sides: list[Side], cash: int, fraction: Decimal) -> None:
    changes = {**WIDE, "futures__exposure_fraction": str(fraction), "futures__position_fraction": str(fraction)}
    policy = a_policy(**changes, sizing__tier_fractions={"T1": "0.5", "T2": "0.5", "T3": "0.5"})
    state = a_futures_state(policy, an_account(cash=D(cash)))
    for number, side in enumerate(sides):
        request = asks(side)
        signal = request.signal.model_copy(update={"signal_id": f"s{number}", "reference_price": D(50000 + number)})
        found = review(replace(request, signal=signal), state, policy)
        if found.verdict is Verdict.APPROVED:
            state, _ = approved(state, policy, replace(request, signal=signal))

    exposure = exposed(state, {BIP: D(50000)})
    assert exposure.of(BIP) <= fraction * 100000
    long, short = exposure.futures[BIP].long, exposure.futures[BIP].short if exposure.futures else D(0)
    assert max(long, short) * D("0.1") * D("0.9") * D("1.15") <= max(D(cash), max(long, short) * D("0.1") * D("1.1"))


def a_report(state: GateState, **changes: Any) -> FuturesReport:
    quantity = state.portfolio.quantity(BIP)
    held = (
        (VenuePosition(product=BIP, quantity=quantity, price=D(50500), unrealized=quantity * 100),) if quantity else ()
    )
    report = FuturesReport(
        cash=D(5000),
        initial=D(100),
        maintenance=D(90),
        window=MarginWindow.INTRADAY,
        window_ends_at=NOW + HOUR,
        has_intraday_rates=True,
        positions=held,
    )
    return replace(report, **changes)


def dollars(state: GateState, report: FuturesReport) -> tuple[Balance, ...]:
    """Return spot dollars that make both sides equal, whatever was settled in cash already."""
    (pot,) = (one for one in with_futures(state, (), report, "USD") if one.currency == "USD")
    return (Balance(currency="USD", total=state.portfolio.cash["USD"] - pot.total, hold=D(0)),)


def a_held_state(policy: Policy) -> GateState:
    state, intent = approved(a_futures_state(policy), policy, asks(Side.SELL))
    return with_fill(state, a_fill(intent, intent.quantity))


def at_rate(state: GateState, *rates: str) -> GateState:
    for rate in rates:
        terms = {BIP: TERMS.model_copy(update={"funding_rate": D(rate)})}
        state = evolve(state, MarginSeen(account=an_account(terms=terms), at=NOW))
    return state


def test_a_gap_is_funding_once_an_hour_and_only_if_it_is_what_the_rate_asks_for() -> None:
    policy = a_policy()
    state = at_rate(a_held_state(policy), "0.001")
    report = a_report(state)
    spot = dollars(state, report)
    due = -state.portfolio.quantity(BIP) * 50500 * D("0.001")
    funded = replace(report, cash=report.cash + due)

    def paid(known: GateState, cash: Decimal) -> tuple[Record, ...]:
        return paid_by_itself(known, spot, replace(report, cash=report.cash + cash), policy, NOW)

    (record,) = paid_by_itself(state, spot, funded, policy, NOW)
    after = evolve(state, record)

    assert due > 1
    assert isinstance(record, FundingPaid)
    assert record.amount == due
    assert after.portfolio.cash["USD"] == state.portfolio.cash["USD"] + due
    assert [len(paid(state, due * D(share))) for share in ("0.97", "0.985", "1.015", "1.03", "2", "-1", "0")] == [
        0, 1, 1, 0, 0, 0, 0,
    ]  # fmt: skip
    assert paid(after, 2 * due) == ()
    assert paid(at_rate(state, "0.003"), due) != ()
    assert paid(at_rate(state, "0.003", "0.005"), due) == ()
    assert paid(a_held_state(policy), due) == ()


def test_an_expired_contract_is_closed_at_the_price_that_explains_the_dollars() -> None:
    policy = a_policy()
    state = a_held_state(policy)
    quantity = state.portfolio.quantity(BIP)
    report = a_report(state)
    spot = dollars(state, report)
    expired = an_account(terms={BIP: TERMS.model_copy(update={"expires_at": NOW})})
    state = evolve(state, MarginSeen(account=expired, at=NOW))
    settled = a_report(state, cash=report.settled_cash + quantity * 51000, positions=())

    (record,) = paid_by_itself(state, spot, settled, policy, NOW)
    after = evolve(state, record)

    assert record.kind == "contract_settled"
    assert abs(record.price - 51000) < D("1e-20")
    assert after.portfolio.quantity(BIP) == 0
    (pot,) = (one for one in with_futures(after, spot, settled, "USD") if one.currency == "USD")
    assert abs(pot.total - after.portfolio.cash["USD"]) < D("1e-15")


def test_the_gate_reduces_just_enough_to_bring_the_buffer_back() -> None:
    policy = a_policy(futures__reduce_after_seconds=0)
    state = a_held_state(policy)
    notional = abs(state.portfolio.quantity(BIP)) * 50000
    thin = an_account(cash=notional * D("0.1") * D("0.9") * D("1.05"))
    state = evolve(state, MarginSeen(account=thin, at=NOW))
    assert reduction(state, policy, {BIP: D(50000)}, BIP, NOW) is None
    code = CauseCode.LIQUIDATION_BUFFER
    from_now = evolve(state, CauseRaised(cause=_cause(code), at=NOW))

    found = reduction(from_now, policy, {BIP: D(50000)}, BIP, NOW)

    assert found is not None
    left = abs(state.portfolio.quantity(BIP)) - found.quantity
    assert (thin.cash - left * 50000 * D("0.09")) / (left * 50000 * D("0.09")) >= D("0.15")
    assert found.quantity % D("0.01") == 0
    assert left > 0


def _cause(code: CauseCode) -> Any:
    return CauseRaised.model_validate(
        {
            "cause": {
                "code": code,
                "status": "reduce_only",
                "detail": "",
                "product": None,
                "since": NOW,
                "until": None,
            },
            "at": NOW,
        }
    ).cause
