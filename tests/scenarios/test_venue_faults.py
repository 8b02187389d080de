"""Orders flow while the venue does everything it can do wrong; at the end its books are ours and nothing came twice."""

import itertools
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from stand import BTC, DOGE, ETH, SOL, Stand, until

from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.intents import ApprovedIntent, SignedIntent
from gpt_trader.contracts.signals import Action

CREATE = "POST /api/v3/brokerage/orders"
ONCE: list[dict[str, Any]] = [
    {"kind": "reject_401_once", "match": CREATE},
    {"kind": "http_429", "match": CREATE, "value": 1},
    {"kind": "http_500_before_accept", "match": CREATE, "value": 503},
    {"kind": "http_500_after_accept", "match": CREATE, "value": 502},
    {"kind": "drop_connection_after_accept", "match": CREATE},
    {"kind": "cut_mid_body", "match": CREATE},
    {"kind": "lost_reply", "match": CREATE},
    {"kind": "slow_ms", "match": CREATE, "value": 300},
    {"kind": "slow_reply_ms", "match": CREATE, "value": 300},
    {"kind": "reject_order", "name": "INSUFFICIENT_FUND"},
    {"kind": "partial_fill", "value": 40},
    {"kind": "fill_correction", "value": 200},
    {"kind": "fill_reversal", "value": 200},
    {"kind": "ws_loss", "match": "user"},
    {"kind": "ws_gap", "match": "user"},
    {"kind": "ws_duplicate", "match": "user"},
    {"kind": "ws_reorder", "match": "user"},
    {"kind": "ws_gap", "match": "level2"},
    {"kind": "ws_duplicate", "match": "level2"},
    {"kind": "ws_reorder", "match": "level2"},
    {"kind": "ws_loss", "match": "heartbeats"},
    {"kind": "ws_drop", "match": "level2", "value": 1006},
    {"kind": "ws_drop", "match": "user", "value": 1001},
    {"kind": "ws_refuse", "match": "user"},
    {"kind": "ws_big_snapshot", "match": "level2", "value": 11},
]
LASTING: list[dict[str, Any]] = [
    {"kind": "ws_storm", "for_s": 0.6, "value": 100},
    {"kind": "stale_feed", "for_s": 0.6},
    {"kind": "product_flag", "name": "cancel_only", "for_s": 0.4},
    {"kind": "maintenance", "for_s": 0.4},
    {"kind": "clock_skew", "value": -4000, "for_s": 0.4},
]
RECONNECT = {"ws_refuse", "ws_big_snapshot"}  # they strike a subscription, which a drop brings about


def test_orders_flow_through_every_fault_and_the_books_agree(stand: Stand) -> None:
    venue, products = stand.system.ask_exchange, itertools.cycle((BTC, ETH, SOL, DOGE))
    entries = len(stand.books()["fills"])
    venue("/faults", {"kind": "no_idempotency"})

    for fault in ONCE + LASTING:
        struck = len(venue("/faults")["fired"])
        venue("/faults", fault)
        if fault["kind"] in RECONNECT:
            venue("/faults", {"kind": "ws_drop", "match": fault["match"]})
        for _ in pushing(products, stand, 40):
            fired = venue("/faults")["fired"][struck:]
            mine = [one for one in fired if one["fault"]["kind"] == fault["kind"]]
            if mine and mine[-1].get("phase") != "began":
                break
        else:
            raise AssertionError(f"{fault} never struck within 40 s of orders")
    stand.system.ask_exchange("/faults", {"kind": "no_idempotency", "times": 0})
    settle(stand)

    at_venue = [row["client_order_id"] for row in stand.orders()]
    envelopes = stand.history("INTENTS", SignedIntent, "intents.approved.>")
    approved = {ApprovedIntent.decode(envelope.payload).client_order_id for envelope in envelopes}
    told = {fill.fill_id for fill in stand.seen.fills}
    books = stand.books()
    assert len(at_venue) == len(set(at_venue)), "an order came twice"
    assert set(at_venue) <= approved
    assert {fill["entry_id"] for fill in books["fills"][entries:]} <= told
    assert len(stand.seen.fills) == len(told)
    for product in (BTC, ETH, SOL, DOGE):
        assert stand.position(product) == Decimal(books["balances"][product.partition("-")[0]]["total"]), product
    assert stand.state().status is not TradingStatus.HALTED, stand.state().causes


def pushing(products: Iterator[str], stand: Stand, seconds: float) -> Iterator[str]:
    """Ask for an entry, or an exit where something is held, every fifth of a second for a while."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        product = next(products)
        stand.ask(Action.EXIT if stand.position(product) else Action.ENTER, product)
        time.sleep(0.2)
        yield product


def settle(stand: Stand) -> None:
    """Wait until the gate has no open order and agrees with the venue on everything."""
    now = stand.clock.now()

    def is_settled() -> bool:
        account = stand.account()
        return account.published_at > now and not account.open_orders and account.is_reconciled

    until(is_settled, lambda: f"settled books: {stand.account().open_orders} {stand.state().causes}", 120)
