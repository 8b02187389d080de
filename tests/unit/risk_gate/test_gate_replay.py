"""The journal is the state: what is written down gives the same decisions, bytes and hashes again."""

import json
from datetime import timedelta
from pathlib import Path
from random import Random

from gate_builders import (
    BTC,
    NOW,
    SPELLING,
    D,
    a_fill,
    a_market,
    a_policy,
    a_request,
    a_signal,
    a_tick,
    an_order_event,
)

from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.message import GENESIS_HASH, canonical
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.contracts.signals import Action
from gpt_trader.risk_gate.domain import records
from gpt_trader.risk_gate.domain.decide import decide, is_sealed, request_of, write
from gpt_trader.risk_gate.domain.gate import evolve, folded
from gpt_trader.risk_gate.domain.history import History, Paced
from gpt_trader.risk_gate.domain.records import (
    DecisionMade,
    EpochClaimed,
    FillReported,
    IntentStored,
    Marked,
    Opened,
    OrderReported,
    PermitLogged,
    PolicyAdopted,
    Record,
)
from gpt_trader.risk_gate.domain.replay import rejudged
from gpt_trader.risk_gate.domain.state import GateState, fingerprint
from gpt_trader.runtime.journal import Journal

POLICY = a_policy()


def a_day() -> list[Record]:
    """Enter, fill, be denied, exit."""
    written: list[Record] = [
        PolicyAdopted(version=POLICY.version(), document=POLICY.document(), at=NOW),
        Opened(cash={"USD": D(100000)}, positions=(), at=NOW),
        EpochClaimed(epoch=1, intents_sequence=1, intents_head=GENESIS_HASH, at=NOW),
        Marked(equity=D(100000), marks={}, at=NOW),
    ]
    state = folded(written, GateState())
    requests = [
        a_request(),
        a_request(signal=a_signal(signal_id="denied")),
        a_request(signal=a_signal(signal_id="out", action=Action.EXIT), market=a_market(tick=a_tick(bid="50100"))),
    ]
    for request in requests:
        decision = decide(request, state, POLICY, SPELLING)
        entries: list[Record] = [decision]
        if decision.intent is not None:
            intent = decision.intent
            order_id = intent.client_order_id
            filled = an_order_event(intent, OrderStatus.FILLED, filled_quantity=intent.quantity)
            fill = a_fill(intent, intent.quantity, fee=D("1.25"))
            entries += [
                IntentStored(
                    client_order_id=order_id, stream_sequence=intent.stream_sequence, payload_sha256="a" * 64, at=NOW
                ),
                PermitLogged(client_order_id=order_id, body_sha256=intent.body_sha256, origin_ns=7, at=NOW),
                OrderReported(event=filled, sequence=1, raised=(), at=NOW),
                FillReported(fill=fill, sequence=1, is_slippage=False, raised=(), at=NOW),
            ]
        state = folded(entries, state)
        written += entries
    return written


def reread(written: list[Record], folder: Path) -> list[Record]:
    with Journal.open(folder / "gate.jsonl") as journal:
        journal.append_all([(record.kind, record) for record in written])
        return [records.parse(entry.payload) for entry in journal.entries()]


def test_a_fold_of_the_same_records_has_the_same_hash_also_from_disk(tmp_path: Path) -> None:
    written = a_day()

    hashes = {fingerprint(folded(some, GateState())) for some in (written, written, reread(written, tmp_path))}

    assert len(hashes) == 1


def test_a_decision_is_sealed_and_chained() -> None:
    decisions = [one.decision for one in a_day() if isinstance(one, DecisionMade)]

    assert all(is_sealed(decision) for decision in decisions)
    assert [one.previous_hash for one in decisions] == [GENESIS_HASH, *(one.hash for one in decisions[:-1])]
    assert not is_sealed(decisions[0].model_copy(update={"notional": D(1)}))


def test_the_form_that_was_hashed_is_that_of_journal_and_bus() -> None:
    state = folded(a_day()[:3], GateState())
    odd = a_signal(reference_price=D(1), evidence={"z": D("1.50"), "a": "x", "hash": GENESIS_HASH})
    for request in (a_request(), a_request(signal=odd)):
        written = write(request, state, POLICY, SPELLING)

        assert written.record == decide(request, state, POLICY, SPELLING)
        assert written.form == canonical(written.record.decision)
        assert canonical(written.payload()) == canonical(written.record)
        assert Decision.decode(written.form) == Decision.decode(written.record.decision.encode())
        assert is_sealed(Decision.decode(written.form))


def test_a_request_comes_back_from_its_record() -> None:
    state = folded(a_day()[:4], GateState())
    request = a_request(marks={BTC: D(50000)})

    assert request_of(decide(request, state, POLICY, SPELLING)) == request


def test_another_policy_gives_other_verdicts_on_the_same_day() -> None:
    strict = a_policy(sizing__min_order_notional=1e6)

    verdicts = [(one.decision.verdict, one.review.verdict) for one in rejudged(a_day(), strict)]

    assert verdicts == [("approved", "denied"), ("denied", "denied"), ("approved", "approved")]


def test_every_record_survives_the_disk_unchanged() -> None:
    for record in a_day():
        assert canonical(records.parse(json.loads(canonical(record)))) == canonical(record)


def test_the_same_record_twice_changes_what_must_not_repeat_only_once() -> None:
    written = a_day()
    state = folded(written, GateState())

    again = evolve(state, next(one for one in written if isinstance(one, FillReported)))

    assert again.portfolio == state.portfolio
    assert again.fills == state.fills


def test_counts_over_a_window_are_those_of_the_approvals_in_it() -> None:
    rng = Random(7)
    history, at = History(), NOW
    for number in range(300):
        at += timedelta(seconds=rng.choice((0, 1, 30, 900)))
        last = history.paced[-1] if history.paced else None
        is_entry, is_trade = rng.random() < 0.5, rng.random() < 0.8
        paced = Paced(
            at=at, product=BTC, is_entry=is_entry, is_trade=is_trade, content=f"c{number % 5}", kind=f"k{number % 3}",
            trades_so_far=is_trade + (last.trades_so_far if last else 0),
            entries_so_far=is_entry + (last.entries_so_far if last else 0),
            entry_notional_before=D(0), entry_notional_so_far=D(0),
        )  # fmt: skip
        history = history.with_approval(paced)

    for seconds in (0, 1, 60, 3600, 40_000, 86_400):
        start = at - timedelta(seconds=seconds)
        recent = [paced for paced in history.paced if paced.at > start]
        assert history.approvals_since(start) == len(recent)
        assert history.trades_since(start) == sum(paced.is_trade for paced in recent)
        assert history.entries_since(start) == sum(paced.is_entry for paced in recent)
        contents = tuple(paced.content for paced in recent if paced.kind == "k1")
        assert history.of_kind("k1").since(start) == contents
        assert history.of_kind("k1").count_since(start) == len(contents)
