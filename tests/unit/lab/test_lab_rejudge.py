"""Another policy on recorded decisions: what it changes, why, and what that would have meant in money."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lab_builders import (
    GATE_JOURNAL,
    MINUTE,
    D,
    a_policy,
    a_restless_day,
    a_traded_day,
    replace_line,
)

from gpt_trader.contracts.decisions import Verdict
from gpt_trader.contracts.signals import Side
from gpt_trader.lab.adapters import verdict_report
from gpt_trader.lab.domain.outcomes import MONEY_STEP
from gpt_trader.lab.domain.rejudgement import Basis, Priced, Rejudgement
from gpt_trader.lab.domain.verdicts import Effect
from gpt_trader.lab.ports import Unreadable
from gpt_trader.lab.rejudging import Span, rejudgement
from gpt_trader.learning.adapters.parquet import merge
from gpt_trader.learning.domain.counterfactuals import Counterfactual, Ending
from gpt_trader.learning.domain.records import Kind, Place, Row
from gpt_trader.risk_gate.domain import records as gate
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.runtime.journal import read

ALWAYS = Span(start=None, end=None)
RESTLESS = a_policy(cooldowns__after_stop_seconds=0, frequency__between_trades_seconds=0)
"""Approves the one entry that the traded day denies."""


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trade a day that tests only read."""
    run_dir = tmp_path_factory.mktemp("day")
    a_traded_day(run_dir)
    return run_dir


def of(found: Rejudgement, effect: Effect) -> list[Priced]:
    return [one for one in found.changes if one.change.effect is effect]


def made(run_dir: Path) -> list[tuple[datetime, Decimal]]:
    """Work out what each round trip of a day with one entry at a time made, straight from its fills."""
    records = [gate.parse(entry.payload) for entry in read(run_dir / GATE_JOURNAL)]
    fills = [record.fill for record in records if isinstance(record, gate.FillReported)]
    return [
        (bought.occurred_at, bought.quantity * (sold.price - bought.price) - bought.fee - sold.fee)
        for bought, sold in pairwise(fills)
        if bought.side is Side.BUY
    ]


def followed(run_dir: Path, one: Priced, net_bps: str | None, decision_id: str | None = None) -> None:
    """Let learning have followed a denied entry; without a result no price was seen."""
    change = one.change
    result = Counterfactual(
        decision_id=decision_id or change.decision_id, strategy=change.strategy, product=change.product,
        side=Side.BUY, failed=("G12",), ending=Ending.STOP if net_bps else Ending.UNOBSERVED, entry_price=D(50_000),
        exit_price=D(49_860) if net_bps else None, notional=None, net_bps=D(net_bps) if net_bps else None, net=None,
        denied_at=change.decided_at, ended_at=change.decided_at + MINUTE,
    )  # fmt: skip
    row = Row(
        kind=Kind.COUNTERFACTUAL, row_id=result.decision_id, product=change.product, strategy=change.strategy,
        occurred_at=change.decided_at, place=Place(stored_at=change.decided_at, sequence=1),
        payload=result.encode().decode(),
    )  # fmt: skip
    store_dir = run_dir / "learning" / "store"
    store_dir.mkdir(parents=True)
    merge(store_dir, [row])


def test_the_same_policy_changes_nothing_by_hash(traded: Path) -> None:
    found = rejudgement(traded, a_policy(), ALWAYS)

    assert (found.decisions, found.same, found.changes, found.limits) == (9, 9, (), ())
    assert found.rejudged_hash == found.recorded_hash
    assert "every verdict is the recorded one" in verdict_report.as_text(found)


def test_a_tighter_policy_denies_more_and_names_the_check(traded: Path) -> None:
    found = rejudgement(traded, a_policy(sizing__min_order_notional=4800), ALWAYS)

    assert found.total(Effect.NEWLY_DENIED).changes == 1
    (row,) = found.by_check()
    assert (row.reason, row.newly_denied, row.alone) == ("G15 notional_reaches_minimum", 1, 1)
    assert found.rejudged_hash != found.recorded_hash
    assert [(one.field, one.recorded, one.replayed) for one in found.limits] == [
        ("sizing.min_order_notional", "10", "4800")
    ]


def test_a_newly_denied_entry_gives_back_what_its_trade_made(traded: Path) -> None:
    found = rejudgement(traded, a_policy(sizing__min_order_notional=9000), ALWAYS)

    expected = [(at, -net.quantize(MONEY_STEP)) for at, net in made(traded)]
    assert len(expected) == len(found.changes) == 4
    assert [(one.change.decided_at, one.money.difference) for one in found.changes] == expected
    assert {(one.change.effect, one.money.basis) for one in found.changes} == {(Effect.NEWLY_DENIED, Basis.TRADE)}
    total = found.total(Effect.NEWLY_DENIED)
    assert total.difference == total.gained + total.lost == sum(money for _, money in expected)


def test_a_smaller_entry_gives_back_its_missing_share(traded: Path) -> None:
    whole = {
        one.change.decision_id: one.money.difference
        for one in rejudgement(traded, a_policy(sizing__min_order_notional=9000), ALWAYS).changes
    }

    found = rejudgement(traded, a_policy(limits__max_order_notional=1000), ALWAYS)

    resized = of(found, Effect.RESIZED)
    assert len(resized) == len(found.changes) == 4
    for one in resized:
        change = one.change
        assert (change.before, change.after) == (Verdict.APPROVED, Verdict.APPROVED)
        assert change.reasons == ("sizing order_limit",)
        assert change.notional_after <= 1000 < change.notional_before
        share = 1 - change.quantity_after / change.quantity_before
        was = whole[change.decision_id]
        assert was is not None
        assert one.money.difference is not None
        assert abs(one.money.difference - was * share) < 2 * MONEY_STEP


def test_a_larger_entry_is_scaled_and_says_so(traded: Path) -> None:
    loose = a_policy(sizing__tier_fractions={"T1": "0.08", "T2": "0.03", "T3": "0.01"}, exposure__per_asset_fraction=1,
                     exposure__total_fraction=1)  # fmt: skip

    found = rejudgement(traded, loose, ALWAYS)

    resized = of(found, Effect.RESIZED)
    assert len(resized) == 4
    assert {one.money.basis for one in resized} == {Basis.SCALED}
    assert {one.change.reasons for one in resized} == {("sizing tier",)}


def test_a_newly_approved_entry_is_worth_what_learning_saw_it_make(tmp_path: Path) -> None:
    a_traded_day(tmp_path)
    (unknown,) = of(rejudgement(tmp_path, RESTLESS, ALWAYS), Effect.NEWLY_APPROVED)
    assert (unknown.money.difference, unknown.money.basis) == (None, Basis.UNKNOWN)
    followed(tmp_path, unknown, net_bps="-40")

    (known,) = of(rejudgement(tmp_path, RESTLESS, ALWAYS), Effect.NEWLY_APPROVED)

    assert known.change.reasons == ("G11 trades_are_apart", "G12 product_has_cooled_down")
    assert known.money.basis is Basis.COUNTERFACTUAL
    expected = known.change.quantity_after * 50000 * D("-0.004")
    assert known.money.difference == expected.quantize(MONEY_STEP)


@pytest.mark.parametrize("net_bps", [None, "missing"])
def test_an_entry_that_learning_did_not_see_to_an_end_is_unknown(tmp_path: Path, net_bps: str | None) -> None:
    a_traded_day(tmp_path)
    (change,) = of(rejudgement(tmp_path, RESTLESS, ALWAYS), Effect.NEWLY_APPROVED)
    followed(tmp_path, change, net_bps=None, decision_id="another" if net_bps else change.change.decision_id)

    found = rejudgement(tmp_path, RESTLESS, ALWAYS)

    assert found.total(Effect.NEWLY_APPROVED).unknown == 1
    assert not found.notes


def test_without_a_learning_store_the_result_says_so(traded: Path) -> None:
    found = rejudgement(traded, RESTLESS, ALWAYS)

    assert any("no learning store" in note for note in found.notes)


def test_a_damaged_learning_store_is_named(tmp_path: Path) -> None:
    a_traded_day(tmp_path)
    (change,) = of(rejudgement(tmp_path, RESTLESS, ALWAYS), Effect.NEWLY_APPROVED)
    followed(tmp_path, change, net_bps="1")
    (file,) = (tmp_path / "learning" / "store").glob("counterfactuals/*.parquet")
    file.write_bytes(file.read_bytes()[:-9])

    with pytest.raises(Unreadable, match=file.name):
        rejudgement(tmp_path, RESTLESS, ALWAYS)


def test_only_decisions_of_the_span_are_judged_but_their_money_comes_from_after_it(traded: Path) -> None:
    strict = a_policy(sizing__min_order_notional=9000)
    everything = rejudgement(traded, strict, ALWAYS)
    first = everything.changes[0].change.decided_at

    found = rejudgement(traded, strict, Span(start=first, end=first + timedelta(seconds=1)))
    nothing = rejudgement(traded, strict, Span(start=first + timedelta(seconds=1), end=first + 2 * MINUTE))
    before = rejudgement(traded, strict, Span(start=None, end=first))

    assert (found.decisions, found.changes) == (1, everything.changes[:1])
    assert (nothing.decisions, before.decisions) == (0, 0)
    assert "0 decisions of policy none" in verdict_report.as_text(nothing)


def test_limits_that_no_verdict_shows_are_said(traded: Path) -> None:
    found = rejudgement(traded, a_policy(escalation__rejections=1, marks__hard_stale_seconds=90), ALWAYS)

    assert found.rejudged_hash == found.recorded_hash
    (note,) = found.notes
    assert "act outside of a verdict" in note
    assert note.endswith(": escalation.rejections, marks.hard_stale_seconds")


def test_a_run_that_another_version_recorded_is_said(traded: Path) -> None:
    found = rejudgement(traded, a_policy(), ALWAYS)
    other = replace(found, rejudged_hash="1" * 64)

    assert "another version of the gate recorded this" in verdict_report.as_text(other)


def test_the_tables_and_the_json_tell_the_same(traded: Path) -> None:
    found = rejudgement(traded, a_policy(limits__max_order_notional=1000), ALWAYS)

    text, document = verdict_report.as_text(found), verdict_report.as_json(found)

    assert "size changed            4" in text
    assert "sizing order_limit" in text
    assert "is not simulated" in text
    assert all(f"{one.change.decided_at:%Y-%m-%d %H:%M:%S}" in text for one in found.changes)
    for part in ('"state":"recorded"', '"resized":4', f'"difference":"{found.total(*Effect).difference}"'):
        assert part in document


def test_a_journal_that_was_changed_is_named(traded: Path, tmp_path: Path) -> None:
    (tmp_path / GATE_JOURNAL).parent.mkdir(parents=True)
    (tmp_path / GATE_JOURNAL).write_bytes((traded / GATE_JOURNAL).read_bytes())
    replace_line(tmp_path / GATE_JOURNAL, 3, b'"kind"', b'"kinD"')

    with pytest.raises(Unreadable, match=r"gate\.jsonl line 3"):
        rejudgement(tmp_path, a_policy(), ALWAYS)


TIGHTER: dict[str, int | str] = {
    "signals.max_age_seconds": 60, "limits.max_order_notional": 10000, "limits.max_position_notional": 25000,
    "limits.max_leverage": 1, "limits.daily_loss_fraction": "0.03", "limits.drawdown_fraction": "0.1",
    "limits.max_open_orders": 10, "limits.notional_per_minute": 50000, "limits.notional_per_hour": 500000,
    "limits.notional_per_day": 5000000, "exposure.per_asset_fraction": "0.05", "exposure.total_fraction": "0.25",
    "sizing.max_entry_notional": 10000, "exposure.correlated_fraction": "0.25",
    "exposure.default_cluster_fraction": "0.25", "limits.order_fraction": "0.05", "prices.period_collar_bps": 1000,
    "prices.trade_distance_bps": 1000, "prices.jump_floor_bps": 1000, "limits.volume_fraction": 1000,
    "prices.hard_spread_bps": 80,
    "prices.impact_bps": 50, "frequency.trades_per_day": 2000, "frequency.trades_per_hour": 120,
    "frequency.entries_per_hour": 60, "frequency.messages_per_minute": 60, "repeats.same_orders": 40,
    "cooldowns.consecutive_losses": 3, "marks.stale_seconds": 60,
}  # fmt: skip
"""What may be lowered, with the recorded value."""
RESTING: dict[str, int] = {
    "signals.duplicate_window_seconds": 10, "frequency.between_trades_seconds": 1,
    "frequency.per_product_seconds": 20, "cooldowns.consecutive_losses_seconds": 60,
    "cooldowns.after_loss_seconds": 20, "cooldowns.after_stop_seconds": 40, "cooldowns.after_win_seconds": 5,
    "sizing.min_order_notional": 10, "prices.depth_multiple": 2,
}  # fmt: skip
"""What is tighter the higher it is."""


@st.composite
def tighter_policies(draw: st.DrawFn) -> Policy:
    name = draw(st.sampled_from(sorted([*TIGHTER, *RESTING])))
    share = draw(st.decimals(min_value="0.001", max_value=1, places=3))
    value = D(RESTING[name]) / share if name in RESTING else D(TIGHTER[name]) * share
    is_whole = name.endswith(("_seconds", "orders", "losses")) or name.startswith("frequency.")
    changes: dict[str, object] = {name.replace(".", "__"): max(1, int(value)) if is_whole else str(value)}
    if name == "exposure.total_fraction":
        changes["exposure__per_asset_fraction"] = str(min(value, D("0.05")))
    return a_policy(**changes)


@pytest.fixture(scope="module")
def restless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trade a day with many denials."""
    run_dir = tmp_path_factory.mktemp("restless")
    a_restless_day(run_dir)
    return run_dir


@settings(max_examples=60, deadline=None)
@given(policy=tighter_policies())
def test_a_policy_tighter_in_one_limit_never_newly_approves_nor_enlarges(restless: Path, policy: Policy) -> None:
    found = rejudgement(restless, policy, ALWAYS)

    assert not of(found, Effect.NEWLY_APPROVED)
    assert all(one.change.quantity_after <= one.change.quantity_before for one in found.changes)


def test_the_restless_day_has_denials_of_many_kinds(restless: Path) -> None:
    records = [gate.parse(entry.payload) for entry in read(restless / GATE_JOURNAL)]
    decisions = [record.decision for record in records if isinstance(record, gate.DecisionMade)]

    assert len({check.rule for one in decisions for check in one.failures}) >= 5
    assert sum(one.verdict is Verdict.APPROVED for one in decisions) >= 10


def test_a_tighter_cap_on_size_can_approve_what_was_too_large_for_the_book(tmp_path: Path) -> None:
    a_restless_day(tmp_path, a_policy(prices__depth_multiple=300), wishes=3)

    found = rejudgement(tmp_path, a_policy(prices__depth_multiple=300, limits__max_order_notional=1000), ALWAYS)

    assert {one.change.reasons for one in of(found, Effect.NEWLY_APPROVED)} == {("G10 depth_is_enough",)}
    assert all(one.change.notional_after <= 1000 for one in found.changes)
