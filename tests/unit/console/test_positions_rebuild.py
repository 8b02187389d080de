"""Positions from the executions, beside the books of the gate and the venue."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from gpt_trader.console.domain.chain import Chain
from gpt_trader.console.domain.rebuild import Line, rebuilt
from gpt_trader.contracts.account import AccountSnapshot
from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.orders import Fill

EXAMPLES = Path(__file__).parents[3] / "libs" / "contracts" / "examples"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
D = Decimal


def an_account(usd: str, btc: str, differences: tuple[dict[str, str], ...] = ()) -> AccountSnapshot:
    content = orjson.loads((EXAMPLES / "AccountSnapshot.json").read_bytes())
    content["cash"][0] |= {"total": usd}
    content["positions"][0] |= {"quantity": btc}
    return AccountSnapshot.model_validate(content | {"differences": differences})


def a_fill(number: int, side: str, quantity: str, price: str, **changes: Any) -> Fill:
    content = orjson.loads((EXAMPLES / "Fill.json").read_bytes())
    own = {"fill_id": f"f{number}", "trade_id": f"t{number}", "product": "BTC-USD", "side": side, "kind": "fill"}
    amounts = {"quantity": quantity, "price": price, "fee": "1"}
    return Fill.model_validate(content | own | amounts | {"occurred_at": NOW + timedelta(minutes=number)} | changes)


def line(name: str, gate: str, rebuilt_: str, venue: str) -> Line:
    return Line(name=name, gate=D(gate), rebuilt=D(rebuilt_), venue=D(venue))


def test_books_that_counted_every_fill_once_are_what_the_fills_give() -> None:
    fills = [a_fill(1, "buy", "2", "100"), a_fill(2, "sell", "1", "120")]

    lines = rebuilt(an_account("918", "1"), fills, [fills[1], fills[0], fills[0]])

    assert all(one.is_even for one in lines)
    assert {one.name for one in lines} == {"BTC", "USD"}


def test_a_fill_that_the_gate_lacks_is_seen_in_both_currencies() -> None:
    known, lost = a_fill(1, "buy", "2", "100"), a_fill(2, "sell", "1", "120")
    account = an_account("799", "2", ({"currency": "BTC", "ours": "2", "venue": "1"},))

    lines = rebuilt(account, [known], [known, lost])

    assert lines == (line("BTC", "2", "1", "1"), line("USD", "799", "918", "799"))


def test_of_a_corrected_trade_the_last_word_counts_and_a_reversed_one_not_at_all() -> None:
    wrong = a_fill(1, "buy", "2", "100")
    right = a_fill(3, "buy", "1", "90", trade_id="t1", kind="correction")
    undone = [a_fill(2, "buy", "5", "10"), a_fill(4, "buy", "5", "10", trade_id="t2", kind="reversal")]

    lines = rebuilt(an_account("1000", "0"), [], [wrong, *undone, right])

    assert lines == (line("BTC", "0", "1", "0"), line("USD", "1000", "909", "1000"))


def test_the_profit_of_a_closing_order_is_told_over_the_average_cost() -> None:
    decision = Decision.decode((EXAMPLES / "Decision.json").read_bytes())
    bought = (a_fill(1, "buy", "1", "100"), a_fill(2, "buy", "1", "200"))
    sold = (a_fill(3, "sell", "1", "180"),)

    opening = Chain(decision=decision, intent=None, orders=(), fills=bought)
    closing = Chain(decision=decision, intent=None, orders=(), fills=sold, earlier=bought)

    assert opening.realized is None
    assert closing.realized == 180 - 150 - 1
