"""What margin an account needs, with every open order at its worst, by the rates of now and of the next window.

Initial margin of a product is the larger of its long and its short side times that side's rate; maintenance margin is
the policy's share of it. The liquidation buffer is (wallet equity - maintenance) / maintenance, as Coinbase reports it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from gpt_trader.contracts.market import FutureTerms, is_future
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.domain.exposure import Exposure, Sides
from gpt_trader.risk_gate.domain.futures.account import FuturesAccount
from gpt_trader.risk_gate.domain.increments import ONE, ZERO
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.portfolio import Portfolio
from gpt_trader.risk_gate.domain.state import GateState


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """The futures side of an account as a review sees it.

    `funds` are all dollars that no spot order may take, with open profit and loss of futures; `wallet` is the part that
    is in the futures wallet. `is_step_near` = the lower rates end within the policy's lead time.
    """

    funds: Decimal
    wallet: Decimal
    notional: Decimal
    sides: Mapping[str, Sides]
    terms: Mapping[str, FutureTerms]
    is_intraday: bool
    is_step_near: bool
    maintenance_fraction: Decimal

    @property
    def initial(self) -> Decimal:
        """Initial margin by the rates of now."""
        return required(self.sides, self.terms, is_intraday=self.is_intraday)

    @property
    def next_initial(self) -> Decimal:
        """Initial margin by the rates that hold by the end of the lead time."""
        return required(self.sides, self.terms, is_intraday=self.is_intraday and not self.is_step_near)

    @property
    def buffer(self) -> Decimal | None:
        """Liquidation buffer by the end of the lead time; None = nothing is required.

        The venue brings over only the dollars that initial margin lacks when an order is made, and none afterwards.
        """
        maintenance = self.next_initial * self.maintenance_fraction
        return None if not maintenance else (max(self.wallet, self.initial) - maintenance) / maintenance

    def rate(self, product: str, side: Side) -> Decimal:
        """Return the initial margin rate of one side, the higher of now and the end of the lead time."""
        terms = self.terms[product]
        now = rates_of(terms, is_intraday=self.is_intraday)
        soon = rates_of(terms, is_intraday=self.is_intraday and not self.is_step_near)
        return max(now[0], soon[0]) if side is Side.BUY else max(now[1], soon[1])

    def cost_of(self, product: str, side: Side, notional: Decimal, fee_rate: Decimal) -> Decimal:
        """Return what one more order takes from the dollars: what it adds to the margin, and its fee."""
        after = self.after(product, side, notional, fee_rate)
        return self.funds - after.funds + max(after.next_initial - self.next_initial, after.initial - self.initial)

    def after(self, product: str, side: Side, notional: Decimal, fee_rate: Decimal) -> "Margin":
        """Return how it would be if one more order were open; its notional includes the fee."""
        fee = notional - notional / (ONE + fee_rate)
        before = self.sides.get(product, Sides(ZERO, ZERO))
        long, short = (notional, ZERO) if side is Side.BUY else (ZERO, notional)
        sides = {**self.sides, product: Sides(before.long + long, before.short + short)}
        return replace(
            self,
            sides=sides,
            notional=self.notional + notional,
            funds=self.funds - fee,
            wallet=self.wallet - fee,
        )


def required(sides: Mapping[str, Sides], terms: Mapping[str, FutureTerms], *, is_intraday: bool) -> Decimal:
    """Add up initial margin; raises KeyError for a product without terms."""
    total = ZERO
    for product, worst in sides.items():
        long, short = rates_of(terms[product], is_intraday=is_intraday)
        total += max(worst.long * long, worst.short * short)
    return total


def rates_of(terms: FutureTerms, *, is_intraday: bool) -> tuple[Decimal, Decimal]:
    """Return the initial margin rates of longs and shorts."""
    if is_intraday:
        return terms.intraday_margin_long, terms.intraday_margin_short
    return terms.overnight_margin_long, terms.overnight_margin_short


def margin_of(
    state: GateState, policy: Policy, exposure: Exposure, marks: Mapping[str, Decimal], now: datetime
) -> Margin | None:
    """Take stock of margin; None = something that it depends on is not known, or not known to be fresh."""
    account = state.futures
    if account is None or not is_fresh(account, policy, now) or not exposure.futures.keys() <= account.terms.keys():
        return None
    unrealized = open_profit(state.portfolio, marks)
    cash = state.portfolio.cash.get(policy.quote_currency, ZERO)
    return Margin(
        funds=cash - exposure.cash + unrealized,
        wallet=account.cash + unrealized,
        notional=sum((exposure.of(product) for product in exposure.futures), ZERO),
        sides=exposure.futures,
        terms=account.terms,
        is_intraday=account.is_intraday,
        is_step_near=is_step_near(account, policy, now),
        maintenance_fraction=policy.futures.maintenance_fraction,
    )


def is_fresh(account: FuturesAccount, policy: Policy, now: datetime) -> bool:
    """Whether what the venue said of margin still counts."""
    return now - account.seen_at <= policy.futures.stale_seconds


def is_step_near(account: FuturesAccount, policy: Policy, now: datetime) -> bool:
    """Whether the present window ends within the lead time; only the end of the lower rates is a step up."""
    return account.is_intraday and now >= account.window_ends_at - policy.futures.window_lead_seconds


def open_profit(portfolio: Portfolio, marks: Mapping[str, Decimal]) -> Decimal:
    """Sum up what open futures have gained since they were bought or sold; raises KeyError without a mark."""
    held = ((name, one) for name, one in portfolio.holdings.items() if one.quantity and is_future(name))
    return sum((one.quantity * marks[name] - one.cost for name, one in held), ZERO)
