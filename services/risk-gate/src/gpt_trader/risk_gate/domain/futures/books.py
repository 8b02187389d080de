"""Our books against the venue's futures side: one pot of dollars, positions in base units, funding, settlement.

Dollars move between spot and the futures wallet by themselves (margin, sweeps) and daily settlement turns open profit
into cash; none of it is a gain. What does not change by any of it is cash minus the cost of open positions, and that
is what is compared, whatever the prices are.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from gpt_trader.contracts.market import FutureTerms, ProductTerms, is_future
from gpt_trader.risk_gate.domain.futures.account import FuturesAccount, FuturesReport
from gpt_trader.risk_gate.domain.increments import ONE, ZERO
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.portfolio import Holding
from gpt_trader.risk_gate.domain.records import (
    ContractSettled,
    FundingPaid,
    MarginSeen,
    Opened,
    OpeningPosition,
    Record,
)
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.venue import Balance

_SETTLES_WITHIN = Decimal("0.5")
"""How far from its average entry price a contract's settlement price is believed to be."""
_ROUNDED = Decimal("0.01")
"""The venue pays whole cents."""


def contracts(state: GateState, told: Mapping[str, ProductTerms]) -> dict[str, FutureTerms]:
    """Return the venue's terms of each contract; what is held keeps the last known ones until it is told anew."""
    known = {} if state.futures is None else state.futures.terms
    kept = {name: known[name] for name, _ in _held(state) if name in known}
    return kept | {name: one.future for name, one in told.items() if one.future is not None}


def account_of(report: FuturesReport, terms: Mapping[str, FutureTerms], now: datetime) -> FuturesAccount:
    """Keep what the venue says of margin, with its terms of every contract we know."""
    return FuturesAccount(
        cash=report.cash,
        initial=report.initial,
        maintenance=report.maintenance,
        buffer=report.buffer,
        window=report.window,
        window_ends_at=report.window_ends_at,
        has_intraday_rates=report.has_intraday_rates,
        terms=terms,
        seen_at=now,
    )


def margin_seen(state: GateState, account: FuturesAccount, policy: Policy) -> tuple[MarginSeen, ...]:
    """Record what changed; an unchanged word is repeated only so often that it stays fresh."""
    known = state.futures
    is_news = known is None or replace(known, seen_at=account.seen_at) != account
    if known is not None and not is_news and account.seen_at - known.seen_at < policy.futures.stale_seconds / 3:
        return ()
    return (MarginSeen(account=account, at=account.seen_at),)


def opened_with(opened: Opened, report: FuturesReport, currency: str) -> Opened:
    """Adopt the wallet and its positions too, each at the price the venue states it at."""
    unrealized = sum((one.unrealized for one in report.positions), ZERO)
    adopted = (OpeningPosition(product=one.product, quantity=one.quantity, mark=one.price) for one in report.positions)
    cash = {**opened.cash, currency: opened.cash.get(currency, ZERO) + report.cash + unrealized}
    return opened.model_copy(update={"cash": cash, "positions": (*opened.positions, *adopted)})


def with_futures(
    state: GateState, balances: tuple[Balance, ...], report: FuturesReport, currency: str
) -> tuple[Balance, ...]:
    """Put the futures side into the balances: one pot of dollars at our cost, one entry per product that is held."""
    cost = sum((one.cost for _, one in _held(state)), ZERO)
    dollars = sum((one.total for one in balances if one.currency == currency), ZERO)
    hold = sum((one.hold for one in balances if one.currency == currency), ZERO)
    others = (one for one in balances if one.currency != currency)
    positions = (Balance(currency=one.product, total=one.quantity, hold=ZERO) for one in report.positions)
    pot = Balance(currency=currency, total=dollars + report.settled_cash + cost, hold=hold)
    return (*others, pot, *positions)


def paid_by_itself(
    state: GateState, balances: tuple[Balance, ...], report: FuturesReport, policy: Policy, now: datetime
) -> tuple[Record, ...]:
    """Explain a gap in the dollars by what the venue does without an order: settlement at expiry, funding."""
    gap = _gap(state, balances, report, policy.quote_currency)
    settled = _settlement(state, gap, report, now)
    if settled is not None:
        return (settled,)
    return _funding(state, gap, report, policy, now)


def _gap(state: GateState, balances: tuple[Balance, ...], report: FuturesReport, currency: str) -> Decimal:
    theirs = sum(
        (one.total for one in with_futures(state, balances, report, currency) if one.currency == currency), ZERO
    )
    return theirs - state.portfolio.cash.get(currency, ZERO)


def _settlement(state: GateState, gap: Decimal, report: FuturesReport, now: datetime) -> ContractSettled | None:
    """Find the one contract that has expired and is gone: the gap is what closing it at its price gained."""
    gone = [(name, one) for name, one in _held(state) if not report.position(name) and _is_expired(state, name, now)]
    if len(gone) != 1:
        return None
    name, holding = gone[0]
    price = gap / holding.quantity
    is_believable = abs(price / holding.average_price - ONE) <= _SETTLES_WITHIN
    return ContractSettled(product=name, price=price, at=now) if is_believable else None


def _funding(
    state: GateState, gap: Decimal, report: FuturesReport, policy: Policy, now: datetime
) -> tuple[FundingPaid, ...]:
    """Take a gap for this hour's funding, once an hour, if the venue's rate asks for just that; it keeps no list.

    The rate may have changed since, and the price at which it was paid is told by nobody: it must have been near.
    """
    held = dict(_held(state))
    hour = f"{now:%Y-%m-%dT%H}"
    does_agree = all(report.position(name) == one.quantity for name, one in held.items())
    if not gap or not held or not does_agree or hour in state.funding_ids:
        return ()
    for place in (-1, 0):
        rates = {name: kept[place] for name, kept in state.funding_rates.items()}
        due = [-one.quantity * one.price * rates.get(one.product, ZERO) for one in report.positions]
        near = sum(map(abs, due), ZERO) * policy.futures.funding_price_fraction + _ROUNDED
        if any(due) and abs(gap - sum(due, ZERO)) <= near:
            return (FundingPaid(funding_id=hour, amount=gap, at=now),)
    return ()


def _held(state: GateState) -> tuple[tuple[str, Holding], ...]:
    return tuple((name, one) for name, one in state.portfolio.holdings.items() if one.quantity and is_future(name))


def _is_expired(state: GateState, product: str, now: datetime) -> bool:
    terms = None if state.futures is None else state.futures.terms.get(product)
    return terms is not None and terms.expires_at is not None and terms.expires_at <= now
