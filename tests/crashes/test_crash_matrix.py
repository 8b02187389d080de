"""Kill -9 at each point of an order's way: one venue order at most, one terminal report, equal books.

docs/orders.md shows the matrix; `make crashes` runs it at venues that misbehave, and without single protections.
"""

import re
import time
from functools import partial
from pathlib import Path

import pytest
from cells import CELLS, GATE, Cell, table
from rig import AGAIN, Rig
from stand import BTC, is_approved, until

from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.signals import Action
from gpt_trader.runtime.journal import Verified, verify


def test_the_document_shows_this_very_matrix() -> None:
    document = Path(__file__).parents[2] / "docs" / "orders.md"

    assert table() in document.read_text()


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_a_death_at_any_point_ends_the_order_as_the_matrix_says(rig: Rig, cell: Cell) -> None:
    assert rig.run(cell) in cell.endings


def test_after_all_these_deaths_both_journals_are_whole_and_nothing_that_comes_again_counts_again(rig: Rig) -> None:
    """The bus has delivered again whatever a dead process did not acknowledge."""
    time.sleep(2 * AGAIN.total_seconds())

    rig.witness.check()
    for service, file in (("risk-gate", "gate.jsonl"), ("executor", "executor.journal")):
        assert isinstance(verify(rig.stand.system.folder.of(service) / "journal" / file), Verified)


def test_an_executor_that_gives_each_attempt_at_a_report_its_own_id_turns_the_matrix_red(rig: Rig) -> None:
    """So that green means something; `make crashes ARGS=--table` does it with every protection."""
    cell = next(one for one in CELLS if one.name == "executor, after event published")

    with rig.without("executor", "dedupe"):
        signal = rig.kill(cell)
        assert signal is not None
        until(partial(says_it_twice, rig), "a step that is told twice")


def says_it_twice(rig: Rig) -> bool:
    try:
        rig.witness.check()
    except AssertionError as error:
        return bool(re.match("I8: (2 terminal|.* told twice)", str(error)))
    return False


def test_a_gate_that_was_dead_while_somebody_traded_halts_at_its_start_and_trades_from_no_wrong_position(
    rig: Rig,
) -> None:
    stand = rig.stand
    stand.trading()
    if stand.position(BTC):
        stand.leave(BTC)  # what the gate knows that it holds it may close at any time, also while it starts
    sent = len(stand.orders())

    stand.kill9(GATE)
    stand.external(BTC, "buy", "0.01")
    asked = [stand.ask(action, BTC) for action in (Action.ENTER, Action.EXIT)]
    stand.seen.states.clear()
    stand.system.children[GATE].start()
    until(lambda: stand.seen.states, "the gate's first word")
    cause = stand.until_cause("unapproved_order")
    decisions = [stand.decided(signal) for signal in asked]

    assert cause.status is TradingStatus.HALTED
    assert not any(is_approved(decision) for decision in decisions)
    assert len(stand.orders()) == sent + 1
