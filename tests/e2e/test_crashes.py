"""kill -9 of each service in turn while orders flow: I1, I2, I4 and I5 hold, by the venue's own books."""

import time
from pathlib import Path

from harness import RunningSystem, system
from venue_books import (
    approvals,
    double_ends,
    fill_mismatches,
    oversold,
    repeated_orders,
    unapproved_orders,
    unfinished,
)

from gpt_trader.contracts.intents import SignedIntent
from gpt_trader.contracts.orders import Fill, OrderEvent

ROUNDS = 2


def test_invariants_hold_through_kill_9_of_each_service_in_turn(tmp_path: Path) -> None:
    with system(tmp_path, "--ticks-per-second", "80") as running:
        running.until("orders flow", lambda: len(running.books()["orders"]) >= 2, seconds=120)
        for _ in range(ROUNDS):
            for service in ("executor", "risk-gate", "strategy", "market-data", "learning"):
                running.kill_9(service)
                time.sleep(4)
        running.until("all are back", lambda: all_are_ready(running), seconds=60)
        assert running.trader("kill").returncode == 0
        running.until("every order has ended", lambda: not unfinished(events(running)), seconds=90)
        running.until("every fill is counted", lambda: not fill_mismatches(running.books(), fills(running)), seconds=60)

        books = running.books()
        intents = approvals(running.history("INTENTS", SignedIntent, "intents.approved.>"))
        assert not unapproved_orders(books, intents)
        assert not repeated_orders(books)
        assert not oversold(books)
        assert not double_ends(events(running))
        assert running.trader("audit", "verify").returncode == 0


def events(running: RunningSystem) -> list[OrderEvent]:
    return running.history("ORDERS", OrderEvent)


def fills(running: RunningSystem) -> list[Fill]:
    return running.history("FILLS", Fill)


def all_are_ready(running: RunningSystem) -> bool:
    services = running.trader_json("status")["services"].values()
    return all(beat is not None and beat["is_ready"] for beat in services)
