"""What the venue does to futures by itself: margin figures, funding, settlement at expiry."""

from dataclasses import replace

from gpt_trader.contracts.market import quote_currency_of
from gpt_trader.risk_gate.domain import records
from gpt_trader.risk_gate.domain.increments import ZERO
from gpt_trader.risk_gate.domain.state import GateState

_FUNDED_IN = "USD"
"""Coinbase keeps the cash of futures in US dollars."""


def seen(state: GateState, record: records.MarginSeen) -> GateState:
    """Take over the venue's word, and keep each contract's funding rate beside the one that was before it."""
    rates = dict(state.funding_rates)
    for product, terms in record.account.terms.items():
        kept = rates.get(product, ())
        if terms.funding_rate is not None and kept[-1:] != (terms.funding_rate,):
            rates[product] = (*kept[-1:], terms.funding_rate)
    return replace(state, futures=record.account, funding_rates=rates)


def funded(state: GateState, record: records.FundingPaid) -> GateState:
    """Count funding in cash, once."""
    if record.funding_id in state.funding_ids:
        return state
    cash = {**state.portfolio.cash, _FUNDED_IN: state.portfolio.cash.get(_FUNDED_IN, ZERO) + record.amount}
    return replace(
        state,
        portfolio=replace(state.portfolio, cash=cash),
        funding=state.funding + record.amount,
        funding_ids=state.funding_ids.with_id(record.funding_id),
    )


def settled(state: GateState, record: records.ContractSettled) -> GateState:
    """Close a position at the settlement price; what it gained since it was opened goes into cash."""
    holding = state.portfolio.holdings.get(record.product)
    if holding is None or not holding.quantity:
        return state
    gained = holding.quantity * record.price - holding.cost
    flat = replace(
        holding,
        quantity=ZERO,
        cost=ZERO,
        realized=holding.realized + gained,
        stop_price=None,
        target_price=None,
        opened_at=None,
    )
    quote = quote_currency_of(record.product)
    portfolio = replace(
        state.portfolio,
        cash={**state.portfolio.cash, quote: state.portfolio.cash.get(quote, ZERO) + gained},
        holdings={**state.portfolio.holdings, record.product: flat},
    )
    return replace(state, portfolio=portfolio)
