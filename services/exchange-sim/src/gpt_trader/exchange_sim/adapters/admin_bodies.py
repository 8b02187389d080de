"""What the listener for tests may be asked to change."""

from decimal import Decimal
from typing import Literal

from pydantic import Field

from gpt_trader.exchange_sim.adapters.rest.bodies import Body, CreateBody
from gpt_trader.exchange_sim.domain.faults.board import Firing


class MarketBody(Body):
    """POST /market; without a product all markets are meant. `mid` holds a market still until it is unpinned."""

    product_id: str | None = None
    jump_percent: Decimal | None = Field(default=None, gt=-100, lt=1000)
    frozen: bool | None = None
    mid: Decimal | None = Field(default=None, gt=0)
    spread_bps: Decimal = Field(default=Decimal(2), gt=0, le=2000)
    depth_notional: Decimal = Field(default=Decimal(1000000), gt=0)
    unpin: bool = False
    spread_multiplier: Decimal | None = Field(default=None, gt=0)
    depth_multiplier: Decimal | None = Field(default=None, gt=0)
    flags: dict[str, bool] = Field(default_factory=dict)
    margin_window: Literal["INTRADAY", "OVERNIGHT", "WEEKEND", "TRANSITION", "CLOCK"] | None = None
    window_ends_in_s: int | None = Field(default=None, gt=0)
    margin_setting: Literal["STANDARD", "INTRADAY"] | None = None
    pays_funding: bool = False
    funding_rate: Decimal | None = Field(default=None, gt=-1, lt=1)
    intraday_margin_rate: Decimal | None = Field(default=None, gt=0, le=1)
    overnight_margin_rate: Decimal | None = Field(default=None, gt=0, le=1)
    expire: bool = False
    expires_in_s: int | None = Field(default=None, gt=0)

    @property
    def changes_terms(self) -> bool:
        """Whether terms of futures contracts are to change."""
        rates = (self.funding_rate, self.intraday_margin_rate, self.overnight_margin_rate)
        is_dated_anew = self.expire or self.expires_in_s is not None
        return is_dated_anew or any(rate is not None for rate in rates)


class ExternalOrderBody(CreateBody):
    """POST /orders/external; a stranger trades with own money, else it is the account's other hand."""

    stranger: bool = False


class DelaysBody(Body):
    """POST /delays, in milliseconds of market time; what is not named stays."""

    pending_ms: int | None = Field(default=None, ge=0)
    visibility_ms: int | None = Field(default=None, ge=0)
    cancel_ms: int | None = Field(default=None, ge=0)


class BalanceBody(Body):
    """POST /balances; negative takes out. A transfer that is not listed is a change that the venue does not explain.

    `to_futures` moves dollars that are there into the futures wallet instead; `kind` is the type that the list of
    transactions gives to a transfer, such as `interest`, in place of deposit or withdrawal.
    """

    currency: str
    amount: Decimal
    kind: str = ""
    is_listed: bool = True
    to_futures: bool = False


class RepeatBody(Body):
    """POST /repeat; the firings of a recording, one by one."""

    fired: tuple[Firing, ...]


class ResetBody(Body):
    """POST /reset; these balances instead of the ones the venue opened with."""

    balances: dict[str, Decimal] = Field(default_factory=dict)


class FillBody(Body):
    """POST /orders/fill; an order that rests trades at its limit, all of it without a size."""

    order_id: str
    size: Decimal | None = Field(default=None, gt=0)
