"""The invariants, checked against the venue's own books and the bus's own streams."""

from collections import Counter
from decimal import Decimal
from typing import Any

from gpt_trader.contracts.intents import ApprovedIntent, SignedIntent
from gpt_trader.contracts.orders import Fill, OrderEvent, OrderStatus


def approvals(envelopes: list[SignedIntent]) -> dict[str, ApprovedIntent]:
    intents = [ApprovedIntent.decode(envelope.payload) for envelope in envelopes]
    return {intent.client_order_id: intent for intent in intents}


def ours(books: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [row for row in books[kind] if row["owner"] != "stranger"]


def unapproved_orders(books: dict[str, Any], intents: dict[str, ApprovedIntent]) -> list[str]:
    """I1: every order at the venue has an approval for exactly that product, side, size and limit."""
    wrong = []
    for order in ours(books, "orders"):
        intent = intents.get(order["client_order_id"])
        (terms,) = order["order_configuration"].values()
        if (
            intent is None
            or intent.product != order["product_id"]
            or intent.side != order["side"].lower()
            or intent.quantity != Decimal(terms["base_size"])
            or intent.limit_price != Decimal(terms["limit_price"])
        ):
            wrong.append(order["client_order_id"])
    return wrong


def repeated_orders(books: dict[str, Any]) -> list[str]:
    """I2: no approval became two orders."""
    counts = Counter(order["client_order_id"] for order in ours(books, "orders"))
    return [own for own, count in counts.items() if count > 1]


def fill_mismatches(books: dict[str, Any], fills: list[Fill]) -> list[str]:
    """I4: what the venue filled was published exactly once, and nothing else was."""
    published = Counter(fill.fill_id for fill in fills)
    at_venue = {row["entry_id"] for row in ours(books, "fills")}
    repeated = [f"{own} published {count} times" for own, count in published.items() if count > 1]
    missing = [f"{own} never published" for own in at_venue if own not in published]
    invented = [f"{own} not at the venue" for own in published if own not in at_venue]
    return repeated + missing + invented


def oversold(books: dict[str, Any]) -> list[str]:
    """I5 for spot: the position never went below zero at any fill."""
    held: Counter[str] = Counter()
    wrong = []
    for row in ours(books, "fills"):
        amount = Decimal(row["size"]) * (1 if row["side"] == "BUY" else -1)
        held[row["product_id"]] += amount  # type: ignore[assignment] - exact decimals in a tally
        if held[row["product_id"]] < 0:
            wrong.append(row["entry_id"])
    return wrong


def unfinished(events: list[OrderEvent]) -> list[str]:
    """Every order comes to an end."""
    latest = {event.client_order_id: event for event in events}
    return [f"{own} is {event.status}" for own, event in latest.items() if not event.status.is_terminal]


def double_ends(events: list[OrderEvent]) -> list[str]:
    """One terminal report per order."""
    ends = Counter(event.client_order_id for event in events if event.status.is_terminal)
    return [own for own, count in ends.items() if count > 1]


def filled(events: list[OrderEvent]) -> list[OrderEvent]:
    return [event for event in events if event.status is OrderStatus.FILLED]
