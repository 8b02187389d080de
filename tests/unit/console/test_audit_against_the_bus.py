"""A journal that was cut, rewritten or contradicted is found by what the gate said in public."""

from pathlib import Path

from gpt_trader.console.domain.audit import Record, differences
from gpt_trader.contracts.account import TradingState
from gpt_trader.contracts.decisions import Decision

EXAMPLES = Path(__file__).parents[3] / "libs" / "contracts" / "examples"
DECISION = Decision.decode((EXAMPLES / "Decision.json").read_bytes())
STATE = TradingState.decode((EXAMPLES / "TradingState.json").read_bytes())


def a_decision(sequence: int) -> Decision:
    return DECISION.model_copy(update={"sequence": sequence, "decision_id": f"decision-{sequence}"})


def a_journal(*decisions: Decision) -> list[Record]:
    return [Record(sequence=place, hash=f"{place:064x}", decision=one) for place, one in enumerate(decisions, start=1)]


def a_witness(records: int, head: int) -> TradingState:
    return STATE.model_copy(update={"records": records, "head_hash": f"{head:064x}"})


def test_a_journal_that_agrees_with_everything_published_is_intact() -> None:
    decisions = [a_decision(1), a_decision(2)]

    assert not differences(a_journal(*decisions), decisions, [a_witness(0, 0), a_witness(1, 1), a_witness(2, 2)])


def test_a_journal_that_lost_its_end_is_found() -> None:
    problems = differences(a_journal(a_decision(1)), [a_decision(1)], [a_witness(1, 1), a_witness(3, 3)])

    assert problems == ["the journal ends at record 1, but the gate had already written 3"]


def test_a_rewritten_and_rechained_journal_is_found() -> None:
    (problem,) = differences(a_journal(a_decision(1)), [a_decision(1)], [a_witness(1, 9)])

    assert problem.startswith("record 1 is not the one that the gate named")


def test_a_decision_that_was_altered_on_the_bus_is_found_although_it_keeps_its_hash() -> None:
    altered = a_decision(1).model_copy(update={"policy_version": "other"})

    (problem,) = differences(a_journal(a_decision(1)), [altered], [])

    assert "is not what the journal holds" in problem


def test_a_decision_that_is_missing_on_the_bus_is_found() -> None:
    journal = a_journal(a_decision(1), a_decision(2), a_decision(3))

    (problem,) = differences(journal, [a_decision(1), a_decision(3)], [])

    assert problem == "decision decision-2 of the journal was never published"


def test_old_decisions_that_the_bus_no_longer_keeps_are_no_difference() -> None:
    assert not differences(a_journal(a_decision(1), a_decision(2)), [a_decision(2)], [])


def test_a_decision_that_is_about_to_be_published_is_no_difference() -> None:
    assert not differences(a_journal(a_decision(1), a_decision(2)), [a_decision(1)], [])


def test_published_decisions_in_another_order_are_found() -> None:
    decisions = [a_decision(1), a_decision(2)]

    assert "decisions on the bus are not in the journal's order" in differences(
        a_journal(*decisions), [decisions[1], decisions[0]], []
    )
