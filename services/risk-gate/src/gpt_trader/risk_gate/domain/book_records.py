"""Records about the books: what the venue says of money, holdings and orders, and what was made of it."""

from collections.abc import Mapping
from typing import Literal

from gpt_trader.contracts.account import Difference
from gpt_trader.contracts.message import Amount, Instant, Message, Product
from gpt_trader.contracts.orders import Fill
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.domain.futures.account import FuturesAccount


class OpeningPosition(Message):
    """A position that was there before us, taken over at its mark."""

    product: Product
    quantity: Amount
    mark: Amount


class Opened(Message):
    """The first books: the venue's balances at the first start."""

    kind: Literal["opened"] = "opened"
    cash: Mapping[str, Amount]
    positions: tuple[OpeningPosition, ...]
    at: Instant


class Marked(Message):
    """The portfolio was valued: a new day began, or equity reached a new peak."""

    kind: Literal["marked"] = "marked"
    equity: Amount
    marks: Mapping[str, Amount]
    at: Instant


class Reconciled(Message):
    """Our books against the venue's balances, with every total that differs."""

    kind: Literal["reconciled"] = "reconciled"
    is_equal: bool
    detail: str
    differences: tuple[Difference, ...] = ()
    at: Instant


class TransferSeen(Message):
    """A deposit or withdrawal (negative) that the venue tells of, worth `mark` each; `product` None = cash.

    `is_income` = interest, a reward, or (negative) a fee: profit or loss, not money brought in. `type` is the venue's.
    """

    kind: Literal["transfer_seen"] = "transfer_seen"
    transfer_id: str
    currency: str
    product: Product | None
    amount: Amount
    mark: Amount
    is_income: bool = False
    type: str = ""
    made_at: Instant
    at: Instant


class Adopted(Message):
    """The venue's total taken over on an operator's word, for nothing else explains the difference."""

    kind: Literal["adopted"] = "adopted"
    sequence: int
    currency: str
    product: Product | None
    before: Amount
    after: Amount
    mark: Amount
    reason: str
    at: Instant


class AdoptionEnded(Message):
    """An operator's adoption was carried out or refused; `sequence` is that of its command."""

    kind: Literal["adoption_ended"] = "adoption_ended"
    sequence: int
    note: str
    at: Instant


class InquiryEnded(Message):
    """The venue's lists decided what an operator asked for; `sequence` is that of the command."""

    kind: Literal["inquiry_ended"] = "inquiry_ended"
    sequence: int
    note: str
    at: Instant


class StrangerSeen(Message):
    """An order at the venue that this gate never approved, or not like this, or that the venue made itself."""

    kind: Literal["stranger_seen"] = "stranger_seen"
    venue_order_id: str
    client_order_id: str
    product: str
    side: Side
    quantity: Amount
    is_liquidation: bool = False
    at: Instant


class ExternalFillSeen(Message):
    """An execution of an order that an operator acknowledged as made elsewhere, or of the venue's own."""

    kind: Literal["external_fill_seen"] = "external_fill_seen"
    fill: Fill
    at: Instant


class OrdersCompared(Message):
    """Orders that are open on one side only, ours or the venue's; recorded while there are any, and once after."""

    kind: Literal["orders_compared"] = "orders_compared"
    drifting: tuple[str, ...]
    at: Instant


class MarginSeen(Message):
    """What the venue says of futures and their margin, with the terms of every contract that may be held."""

    kind: Literal["margin_seen"] = "margin_seen"
    account: FuturesAccount
    at: Instant


class FundingPaid(Message):
    """Funding of open futures, negative when paid; `funding_id` names the time it was due, and counts once."""

    kind: Literal["funding_paid"] = "funding_paid"
    funding_id: str
    amount: Amount
    at: Instant


class ContractSettled(Message):
    """A contract expired, and the venue closed the position at its settlement price: a close without a fill."""

    kind: Literal["contract_settled"] = "contract_settled"
    product: Product
    price: Amount
    at: Instant
