"""What happened at the venue, in our words: executions, single orders, deposits and withdrawals."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from gpt_trader.contracts.ids import FillId, VenueOrderId
from gpt_trader.contracts.orders import FillKind, Liquidity
from gpt_trader.risk_gate.adapters.parse import (
    SIDES,
    Json,
    NotUnderstood,
    as_object,
    boolean,
    decimal,
    document,
    listed_order,
    next_cursor,
    objects,
    text,
)
from gpt_trader.risk_gate.domain.venue import Nature, VenueFill, VenueOrder, VenueTransfer

_KINDS = {"REVERSAL": FillKind.REVERSAL, "CORRECTION": FillKind.CORRECTION}
_LIQUIDITY = {"MAKER": Liquidity.MAKER, "TAKER": Liquidity.TAKER}
_OF_ORDERS = frozenset({"advanced_trade_fill"})
"""Transactions that are executions of orders: the listing of fills tells of them, with price and fee."""
_NATURES = {
    **dict.fromkeys(("fiat_deposit", "fiat_withdrawal", "receive", "send", "transfer"), Nature.TRANSFER),
    **dict.fromkeys(("exchange_deposit", "exchange_withdrawal", "pro_deposit", "pro_withdrawal"), Nature.TRANSFER),
    **dict.fromkeys(("intx_deposit", "intx_withdrawal", "vault_withdrawal"), Nature.TRANSFER),
    **dict.fromkeys(("staking_transfer", "unstaking_transfer"), Nature.TRANSFER),
    **dict.fromkeys(("interest", "staking_reward", "inflation_reward", "earn_payout"), Nature.INCOME),
    **dict.fromkeys(("incentives_rewards_payout", "incentives_shared_clawback", "clawback"), Nature.INCOME),
    **dict.fromkeys(("subscription", "subscription_rebate"), Nature.INCOME),
    "derivatives_settlement": Nature.INTERNAL,
}
"""Coinbase's transaction types. Those left out, such as `trade` or the catch-all `tx`, may change books in any way.

`derivatives_settlement` is the daily sweep between the spot and the futures wallet, which are one pot in our books.
https://docs.cdp.coinbase.com/coinbase-app/track-apis/transactions
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """One page of an account's transactions: its transfers, how far back it reaches, and where the next page is."""

    transfers: tuple[VenueTransfer, ...]
    reaches: datetime | None
    next_uri: str


def fills_page(body: bytes) -> tuple[tuple[VenueFill, ...], str]:
    """Read a page of `orders/historical/fills`; an empty cursor = this was the last."""
    answer = document(body)
    return tuple(_fill(entry) for entry in objects(answer, "fills")), text(answer, "cursor")


def one_order(body: bytes, observed_at: datetime) -> VenueOrder:
    """Read the answer to a request for one order."""
    return listed_order(as_object(document(body), "order"), observed_at)


def wallets_page(body: bytes) -> tuple[tuple[tuple[str, str], ...], str]:
    """Read currency and id of each account of a page, and the next cursor."""
    answer = document(body)
    found = tuple((text(account, "currency"), text(account, "uuid")) for account in objects(answer, "accounts"))
    return found, next_cursor(answer)


def transactions_page(body: bytes) -> Ledger:
    """Read a page of an account's transactions, newest first; what is not completed has moved nothing yet."""
    answer = document(body)
    rows = objects(answer, "data")
    pagination = as_object(answer, "pagination")
    return Ledger(
        transfers=tuple(
            _transfer(row) for row in rows if text(row, "status") == "completed" and text(row, "type") not in _OF_ORDERS
        ),
        reaches=_instant(rows[-1], "created_at") if rows else None,
        next_uri=text(pagination, "next_uri") if pagination.get("next_uri") else "",
    )


def _transfer(row: Json) -> VenueTransfer:
    amount = as_object(row, "amount")
    return VenueTransfer(
        transfer_id=text(row, "id"),
        currency=text(amount, "currency"),
        amount=decimal(amount, "amount"),
        nature=_NATURES.get(text(row, "type"), Nature.UNKNOWN),
        kind=text(row, "type"),
        at=_instant(row, "created_at"),
    )


def _fill(row: Json) -> VenueFill:
    side, price, size = text(row, "side"), decimal(row, "price"), decimal(row, "size")
    if side not in SIDES:
        raise NotUnderstood(f"side: {side!r} is neither BUY nor SELL")
    if price <= 0 or size <= 0:
        raise NotUnderstood(f"price, size: {price}, {size} must be positive")
    return VenueFill(
        fill_id=FillId(text(row, "entry_id")),
        trade_id=text(row, "trade_id"),
        venue_order_id=VenueOrderId(text(row, "order_id")),
        product=text(row, "product_id"),
        side=SIDES[side],
        kind=_KINDS.get(text(row, "trade_type"), FillKind.FILL),
        quantity=(size / price).quantize(Decimal("1e-8")) if boolean(row, "size_in_quote") else size,
        price=price,
        fee=decimal(row, "commission"),
        liquidity=_LIQUIDITY.get(text(row, "liquidity_indicator"), Liquidity.UNKNOWN),
        occurred_at=_instant(row, "trade_time"),
    )


def _instant(row: Json, name: str) -> datetime:
    spelled = text(row, name)
    try:
        at = datetime.fromisoformat(spelled)
    except ValueError:
        raise NotUnderstood(f"{name}: {spelled!r} is no time") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
