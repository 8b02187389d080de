"""The permit desk and the ledger on a real journal: what was answered is on disk."""

from pathlib import Path

import pytest
from gate_builders import CREATE_LIFE, NOW, D, a_fill, a_policy, a_tick, a_watch, approved_on

from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import TradingStatus
from gpt_trader.risk_gate.domain.commands import received
from gpt_trader.risk_gate.domain.consequences import of_fill
from gpt_trader.risk_gate.domain.permits import PermitIssued, PermitOutcome, PermitRefused, Refusal
from gpt_trader.risk_gate.domain.records import FillReported
from gpt_trader.risk_gate.domain.state import fingerprint
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.permit_desk import PermitDesk
from gpt_trader.risk_gate.service.snapshots import opened_books
from gpt_trader.risk_gate.settings import RiskGateSettings
from gpt_trader.runtime.journal import JournalInUse, read
from gpt_trader.runtime.settings import load


def a_desk(ledger: Ledger, *, is_dry_run: bool = False) -> PermitDesk:
    market = a_watch()
    market.keep(a_tick())
    return PermitDesk(ledger=ledger, market=market, is_dry_run=is_dry_run)


def reason(answer: PermitIssued | PermitRefused) -> Refusal | None:
    return answer.reason if isinstance(answer, PermitRefused) else None


def test_a_permit_is_on_disk_when_it_is_given_and_a_restart_remembers_it(ledger: Ledger) -> None:
    intent = approved_on(ledger)

    permit = a_desk(ledger).ask(intent.body_sha256, 7)

    assert isinstance(permit, PermitIssued)
    assert [entry.kind for entry in read(ledger.journal.path)][-1] == "permit_logged"
    again = Ledger(journal=ledger.journal, policy=ledger.policy, clock=ledger.clock, create_life=CREATE_LIFE)
    again.replay()
    assert fingerprint(again.state) == fingerprint(ledger.state)
    assert reason(a_desk(again).ask(intent.body_sha256, None)) is Refusal.PERMIT_ALREADY_ISSUED


async def test_a_kill_stops_permits_at_once_and_waits_for_what_is_in_flight(ledger: Ledger) -> None:
    intent = approved_on(ledger)
    desk = a_desk(ledger)
    permit = desk.ask(intent.body_sha256, None)
    assert isinstance(permit, PermitIssued)

    ledger.commit(received(subjects.CONTROL_KILL, b"", 1, ledger.state, NOW))
    is_quiet_before = await ledger.until(lambda _state: ledger.in_flight() == 0, 0.01)
    desk.answered(permit, PermitOutcome.ANSWERED)
    is_quiet_after = await ledger.until(lambda _state: ledger.in_flight() == 0, 0.01)

    assert ledger.halted.is_set()
    assert ledger.status() is TradingStatus.HALTED
    assert (is_quiet_before, is_quiet_after) == (False, True)


def test_after_a_kill_an_approval_from_before_gets_no_permit(ledger: Ledger) -> None:
    intent = approved_on(ledger)

    ledger.commit(received(subjects.CONTROL_KILL, b"", 1, ledger.state, NOW))

    assert reason(a_desk(ledger).ask(intent.body_sha256, None)) is Refusal.TRADING_STATE


def test_a_refusal_is_final_for_who_heard_it_has_declared_the_order_dead(ledger: Ledger) -> None:
    intent = approved_on(ledger)
    desk = a_desk(ledger)
    desk.market.keep(a_tick(bid="90", ask="91"))
    first = desk.ask(intent.body_sha256, None)

    desk.market.keep(a_tick())
    second = desk.ask(intent.body_sha256, None)

    assert (reason(first), reason(second)) == (Refusal.PRICE_MOVED, Refusal.PRICE_MOVED)


def test_a_body_without_budget_gets_no_permit_later(ledger: Ledger) -> None:
    intent = approved_on(ledger)
    desk = a_desk(ledger)

    desk.forgo(intent.body_sha256)

    assert reason(desk.ask(intent.body_sha256, None)) is Refusal.RATE_BUDGET


def test_who_asks_again_after_the_permit_hears_just_that(ledger: Ledger) -> None:
    intent = approved_on(ledger)
    desk = a_desk(ledger)
    desk.ask(intent.body_sha256, None)

    desk.forgo(intent.body_sha256)

    assert reason(desk.ask(intent.body_sha256, None)) is Refusal.PERMIT_ALREADY_ISSUED


def test_a_dry_run_approves_and_sends_nothing(ledger: Ledger) -> None:
    intent = approved_on(ledger)

    desk = a_desk(ledger, is_dry_run=True)
    assert reason(desk.ask(intent.body_sha256, None)) is Refusal.DRY_RUN
    assert desk.objection_to_cancel() is Refusal.DRY_RUN
    assert desk.allows_read()


def test_a_fenced_gate_gives_no_permit_and_sends_no_cancel(ledger: Ledger) -> None:
    intent = approved_on(ledger)
    desk = a_desk(ledger)

    desk.is_fenced = True

    assert reason(desk.ask(intent.body_sha256, None)) is Refusal.EPOCH
    assert desk.objection_to_cancel() is Refusal.EPOCH
    assert not desk.allows_read()


def test_another_policy_is_adopted_at_start_and_recorded(ledger: Ledger) -> None:
    other = a_policy(limits__max_order_notional=500)
    again = Ledger(journal=ledger.journal, policy=other, clock=ledger.clock, create_life=CREATE_LIFE)

    again.replay()

    assert again.state.policy_version == other.version()
    assert [entry.kind for entry in read(ledger.journal.path)][-1] == "policy_adopted"


def test_a_journal_has_one_writer(tmp_path: Path) -> None:
    with opened_books(tmp_path), pytest.raises(JournalInUse), opened_books(tmp_path):
        pass


REQUIRED = [
    f"--{name}=x"
    for name in (
        "policy-file", "journal-dir", "signing-seed-file", "egress-certificate-file", "egress-key-file",
        "cdp-key-file", "redis-password-file", "nats-monitor-url",
    )
]  # fmt: skip


@pytest.mark.parametrize("confirmation", ["", "yes", "Y", "true"])
def test_live_starts_only_with_the_word_yes(confirmation: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        load(RiskGateSettings, service="risk-gate", argv=[*REQUIRED, "--mode=live", f"--confirm-live={confirmation}"])

    assert ended.value.code == 2
    assert "confirm_live must be YES" in capsys.readouterr().err


def test_the_first_mode_is_a_dry_run_and_the_real_venue_takes_no_scaled_clock() -> None:
    settings = load(RiskGateSettings, service="risk-gate", argv=REQUIRED)

    assert settings.mode == "dry_run"
    with pytest.raises(SystemExit):
        load(
            RiskGateSettings,
            service="risk-gate",
            argv=[*REQUIRED, f"--clock-origin={NOW.isoformat()}", f"--clock-start={NOW.isoformat()}"],
        )


def test_a_fill_of_another_product_than_approved_restricts_trading_and_the_journal_still_folds(ledger: Ledger) -> None:
    intent = approved_on(ledger)
    fill = a_fill(intent, "0.001", product="ETH-USD")
    raised = of_fill(fill, ledger.state, ledger.policy, NOW)

    ledger.commit(FillReported(fill=fill, sequence=1, is_slippage=False, raised=raised, at=NOW))

    assert ledger.status() is TradingStatus.REDUCE_ONLY
    assert ledger.codes() == ("unexplained_fill",)
    assert ledger.state.approvals[intent.client_order_id].counted == 0
    again = Ledger(journal=ledger.journal, policy=ledger.policy, clock=ledger.clock, create_life=CREATE_LIFE)
    again.replay()
    assert fingerprint(again.state) == fingerprint(ledger.state)


def test_what_can_not_be_folded_is_never_written(ledger: Ledger) -> None:
    intent = approved_on(ledger)
    before, state = ledger.journal.sequence, ledger.state
    endless = a_fill(intent, "1").model_copy(update={"quantity": D("1E+999999"), "price": D("1E+999999")})

    with pytest.raises(ArithmeticError):
        ledger.commit(FillReported(fill=endless, sequence=1, is_slippage=False, raised=(), at=NOW))

    assert ledger.journal.sequence == before
    assert ledger.state is state
