"""What a person sees who types `make run`."""

import shutil
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from harness import RunningSystem, system
from venue_books import approvals, fill_mismatches, filled, repeated_orders, unapproved_orders

from gpt_trader.contracts import subjects
from gpt_trader.contracts.decisions import Decision, Verdict
from gpt_trader.contracts.ids import SignalId
from gpt_trader.contracts.intents import SignedIntent
from gpt_trader.contracts.orders import Fill, OrderEvent
from gpt_trader.contracts.signals import Action, Signal
from gpt_trader.contracts.subjects import Zone
from gpt_trader.runtime.bus import Bus

SERVICES = {"market-data", "strategy", "risk-gate", "executor", "learning"}


def test_all_services_are_alive_and_trading_is_active(demo: RunningSystem) -> None:
    demo.until("trading is active", lambda: demo.trader_json("status")["trading"]["status"] == "active")

    services = demo.trader_json("status")["services"]

    assert set(services) == SERVICES
    assert all(beat is not None and beat["is_ready"] for beat in services.values())


def test_it_trades_and_denies_within_a_minute(demo: RunningSystem) -> None:
    demo.until("an order is filled", lambda: bool(filled(demo.history("ORDERS", OrderEvent))), seconds=90)
    told_late = _told_late(demo)
    demo.until(
        "the signal is denied",
        lambda: any(
            decision.signal.signal_id == told_late and decision.verdict is Verdict.DENIED
            for decision in demo.history("DECISIONS", Decision)
        ),
    )


def _told_late(demo: RunningSystem) -> SignalId:
    """Offer the strategy's first entry once more when it has expired: when a wish is denied by itself is chance."""
    entry = next(signal for signal in demo.history("SIGNALS", Signal) if signal.action is Action.ENTER)
    expiry = entry.created_at + timedelta(seconds=1)
    late = entry.model_copy(update={"signal_id": SignalId("told-late"), "expires_at": expiry})

    async def publish(bus: Bus) -> None:
        await bus.store(subjects.signals(late.strategy, late.product), late, message_id=late.signal_id)

    demo.as_zone(Zone.STRATEGY, publish)
    return late.signal_id


def test_every_order_at_the_venue_was_approved_and_every_fill_counted(demo: RunningSystem) -> None:
    demo.until("an order is filled", lambda: bool(filled(demo.history("ORDERS", OrderEvent))), seconds=90)

    books = demo.books()
    intents = approvals(demo.history("INTENTS", SignedIntent, "intents.approved.>"))

    assert not unapproved_orders(books, intents)
    assert not repeated_orders(books)
    demo.until("every fill is published", lambda: not fill_mismatches(demo.books(), demo.history("FILLS", Fill)), 20)


def test_a_filled_order_is_explained_from_market_to_money(demo: RunningSystem) -> None:
    demo.until("an order is filled", lambda: bool(filled(demo.history("ORDERS", OrderEvent))), seconds=90)
    order = filled(demo.history("ORDERS", OrderEvent))[0]

    told = demo.trader("explain", order.client_order_id)

    assert told.returncode == 0, told.stderr
    for word in ("SIGNAL", "MARKET", "DECISION", "APPROVED", "sha256", "ORDER", "FILL", "MONEY", order.product):
        assert word in told.stdout


def test_a_denied_signal_is_explained_with_every_reason(demo: RunningSystem) -> None:
    denied = demo.trader_json("decisions", "--denied", "--limit", "1")[0]

    told = demo.trader("explain", denied["signal"]["signal_id"])

    assert told.returncode == 0, told.stderr
    failed = [check["check"] for check in denied["checks"] if check["outcome"] == "failed"]
    assert failed
    assert all(f"FAIL {check}" in told.stdout for check in failed)
    assert "nothing was sent" in told.stdout


def test_an_unknown_id_is_said_to_be_unknown(demo: RunningSystem) -> None:
    told = demo.trader("explain", "no-such-id")

    assert told.returncode == 1
    assert "no-such-id" in told.stderr


def test_positions_and_cash_agree_with_the_venue(demo: RunningSystem) -> None:
    def agrees() -> bool:
        account, books = demo.trader_json("status")["account"], demo.books()
        held = {row["product"].split("-")[0]: Decimal(row["quantity"]) for row in account["positions"]}
        cash = {row["currency"]: Decimal(row["total"]) for row in account["cash"]}
        venue = {currency: Decimal(row["total"]) for currency, row in books["balances"].items()}
        return cash["USD"] == venue["USD"] and all(venue[currency] == quantity for currency, quantity in held.items())

    demo.until("the account agrees with the venue to the last digit", agrees, seconds=60)


def test_positions_rebuilt_from_the_fills_are_those_of_the_books(demo: RunningSystem) -> None:
    def is_even() -> bool:
        lines = demo.trader_json("positions", "rebuild", "--hours", "100", "--dry-run")["lines"]
        return len(lines) > 1 and all(line["gate"] == line["rebuilt"] == line["venue"] for line in lines)

    demo.until("the books are what the fills give", is_even, seconds=60)
    done = demo.trader("positions", "rebuild", "--reason", "test")
    assert done.returncode == 0, done.stderr
    assert "nothing to adopt" in done.stdout
    assert list(demo.run_dir.glob("positions-*.json")), "the rollback file"


def test_the_log_verifies_and_one_changed_byte_is_found(demo: RunningSystem, tmp_path: Path) -> None:
    intact = demo.trader("audit", "verify")
    copy = tmp_path / "gate.jsonl"
    shutil.copy(demo.manifest.gate_journal, copy)
    content = bytearray(copy.read_bytes())
    content[len(content) // 2] ^= 1
    copy.write_bytes(content)

    changed = demo.trader("audit", "verify", "--log", str(copy))

    assert intact.returncode == 0, intact.stderr
    assert changed.returncode == 1
    assert "NOT intact" in changed.stderr


def test_a_second_stack_in_the_same_folder_is_refused(demo: RunningSystem) -> None:
    refused = demo.trader("up")

    assert refused.returncode == 1
    assert "already runs" in refused.stderr


def test_a_run_can_stop_by_itself_and_write_a_summary(tmp_path: Path) -> None:
    summary = tmp_path / "out.json"
    with system(tmp_path, "--for", "8", "--summary", str(summary)) as running:
        running.process.wait(60)

        assert running.process.returncode == 0, running.output.read_text()
    for name in ("ticks", "signals", "approved", "denied", "orders", "fills", "tick_to_order_ms"):
        assert name in summary.read_text()
