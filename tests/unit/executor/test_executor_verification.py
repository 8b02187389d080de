"""Only what the gate signed, for this place in the stream, fresh and for the first time, is obeyed."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gpt_trader.contracts.ids import ClientOrderId, intent_id
from gpt_trader.contracts.intents import ApprovedIntent, CancelIntent, EpochClaim, SignedIntent
from gpt_trader.contracts.message import GENESIS_HASH, Command, digest
from gpt_trader.executor.adapters import parse
from gpt_trader.executor.domain.verification import (
    Circumstances,
    Delivery,
    Flaw,
    Obeyed,
    Refused,
    Verdict,
    Void,
    examine,
)
from gpt_trader.runtime.secret_files import write_secret
from gpt_trader.runtime.signing import Signer, Verifier, generate_seed

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
SUBJECT = "intents.approved.BTC-USD"
Intents = Callable[..., ApprovedIntent]


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    path: Path = tmp_path_factory.mktemp("gate") / "seed"
    write_secret(path, generate_seed())
    return Signer.load(path, key_id="gate")


@pytest.fixture(scope="module")
def verifier(signer: Signer) -> Verifier:
    return Verifier.pinned({"gate": signer.public_key})


def signed(intent: Command, signer: Signer, key_id: str = "gate") -> bytes:
    payload = intent.encode().decode()
    return SignedIntent(payload=payload, key_id=key_id, signature=signer.sign(payload.encode())).encode()


def hashed(intent: Command) -> str:
    return digest(intent.encode())


def judged(payload: bytes, verifier: Verifier, **changes: object) -> Verdict:
    given = {"subject": SUBJECT, "sequence": 1, "epoch": 1, "seen": frozenset(), "links": {}, "now": NOW, **changes}
    return examine(
        Delivery(subject=str(given["subject"]), sequence=int(str(given["sequence"])), payload=payload),
        verifier.is_valid,
        parse.binds,
        Circumstances(
            epoch=int(str(given["epoch"])),
            seen=given["seen"],  # type: ignore[arg-type]
            links=given["links"],  # type: ignore[arg-type]
            now=given["now"],  # type: ignore[arg-type]
        ),
    )


def test_a_signed_fresh_unseen_approval_is_obeyed(an_approval: Intents, signer: Signer, verifier: Verifier) -> None:
    intent = an_approval()

    assert judged(signed(intent, signer), verifier) == Obeyed(intent, hashed(intent))


def test_no_single_byte_can_be_changed(an_approval: Intents, signer: Signer, verifier: Verifier) -> None:
    payload = signed(an_approval(), signer)
    rng = random.Random(1)
    cases = 0

    for position in range(len(payload)):
        for _ in range(10):
            byte = rng.choice(
                [value for value in (rng.randrange(256), payload[position] ^ 1) if value != payload[position]]
            )
            changed = payload[:position] + bytes([byte]) + payload[position + 1 :]
            assert isinstance(judged(changed, verifier), Refused), changed
            cases += 1

    assert cases >= 10_000


def test_no_byte_can_be_dropped_doubled_or_cut_off(an_approval: Intents, signer: Signer, verifier: Verifier) -> None:
    payload = signed(an_approval(), signer)

    for position in range(len(payload)):
        for changed in (
            payload[:position] + payload[position + 1 :],
            payload[:position] + payload[position : position + 1] + payload[position:],
            payload[:position],
        ):
            assert changed == payload or isinstance(judged(changed, verifier), Refused), changed


@pytest.mark.parametrize(
    ("field", "value"),
    [("quantity", "2"), ("limit_price", "101"), ("side", "sell"), ("expires_at", "2027-01-01T00:00:00Z"), ("epoch", 9)],
)
def test_no_field_can_be_changed(
    field: str, value: object, an_approval: Intents, signer: Signer, verifier: Verifier
) -> None:
    envelope = json.loads(signed(an_approval(), signer))
    envelope["payload"] = json.dumps({**json.loads(envelope["payload"]), field: value})

    assert judged(SignedIntent(**envelope).encode(), verifier) == Refused(Flaw.SIGNATURE)


def test_an_unpinned_key_is_not_believed(
    an_approval: Intents, signer: Signer, verifier: Verifier, tmp_path: Path
) -> None:
    write_secret(tmp_path / "seed", generate_seed())
    other = Signer.load(tmp_path / "seed", key_id="gate")

    assert judged(signed(an_approval(), other), verifier) == Refused(Flaw.SIGNATURE)
    assert judged(signed(an_approval(), signer, key_id="other"), verifier) == Refused(Flaw.SIGNATURE)


def test_a_replay_is_refused_wherever_it_appears(an_approval: Intents, signer: Signer, verifier: Verifier) -> None:
    intent = an_approval()
    payload = signed(intent, signer)

    assert judged(payload, verifier, sequence=2) == Refused(Flaw.SEQUENCE)
    assert judged(payload, verifier, subject="intents.approved.ETH-USD") == Refused(Flaw.SUBJECT)
    assert judged(payload, verifier, subject="intents.cancel.BTC-USD") == Refused(Flaw.SUBJECT)
    assert judged(payload, verifier, seen={intent.client_order_id}) == Refused(Flaw.REPEATED)


def test_what_is_authentic_but_late_fenced_or_unbound_is_void(
    an_approval: Intents, signer: Signer, verifier: Verifier
) -> None:
    intent = an_approval()
    payload = signed(intent, signer)

    assert judged(payload, verifier, now=intent.expires_at) == Void(intent, Flaw.EXPIRED, hashed(intent))
    assert judged(payload, verifier, now=NOW + timedelta(seconds=6)) == Void(intent, Flaw.EXPIRED, hashed(intent))
    assert judged(payload, verifier, epoch=2) == Void(intent, Flaw.EPOCH, hashed(intent))
    for body in (
        intent.body.replace('"1"', '"2"'),
        intent.body.replace(": ", ":"),
        "[]",
        "nonsense",
    ):
        wrong_hash = an_approval(body=body)
        rehashed = an_approval(body=body, body_sha256=digest(body.encode()), product="BTC-USD")
        assert judged(signed(wrong_hash, signer), verifier) == Void(wrong_hash, Flaw.BODY, hashed(wrong_hash))
        if body != intent.body.replace('"1"', '"2"'):
            assert judged(signed(rehashed, signer), verifier) == Void(rehashed, Flaw.BODY, hashed(rehashed))
    other = an_approval(body=an_approval(2).body, body_sha256=an_approval(2).body_sha256)
    assert judged(signed(other, signer), verifier) == Void(other, Flaw.BODY, hashed(other))


def test_cancels_and_claims_are_checked_alike(signer: Signer, verifier: Verifier) -> None:
    claim = EpochClaim(epoch=1, holder="gate", stream_sequence=1, previous_hash=GENESIS_HASH, claimed_at=NOW)
    cancel = CancelIntent(
        intent_id=intent_id("cancel", 1),
        epoch=1,
        stream_sequence=1,
        previous_hash=GENESIS_HASH,
        product="BTC-USD",
        client_order_id=ClientOrderId("order"),
        venue_order_id=None,
        reason="test",
        approved_at=NOW,
    )

    assert judged(signed(claim, signer), verifier, subject="intents.epoch") == Obeyed(claim, hashed(claim))
    assert judged(signed(claim, signer), verifier) == Refused(Flaw.SUBJECT)
    assert judged(signed(cancel, signer), verifier, subject="intents.cancel.BTC-USD") == Obeyed(cancel, hashed(cancel))
    assert judged(signed(cancel, signer), verifier, subject="intents.cancel.BTC-USD", epoch=2) == Refused(Flaw.EPOCH)


def test_what_does_not_name_the_intent_before_it_is_never_acted_on(
    an_approval: Intents, signer: Signer, verifier: Verifier
) -> None:
    first = an_approval(1)
    second = an_approval(2, previous_hash=hashed(first))
    stranger = an_approval(2, previous_hash="a" * 64)
    claim = EpochClaim(epoch=1, holder="gate", stream_sequence=2, previous_hash="a" * 64, claimed_at=NOW)
    seen = {1: hashed(first)}

    assert judged(signed(second, signer), verifier, sequence=2, links=seen) == Obeyed(second, hashed(second))
    assert judged(signed(stranger, signer), verifier, sequence=2) == Obeyed(stranger, hashed(stranger))
    assert judged(signed(stranger, signer), verifier, sequence=2, links=seen) == Void(
        stranger, Flaw.CHAIN, hashed(stranger)
    )
    assert judged(signed(claim, signer), verifier, subject="intents.epoch", sequence=2, links=seen) == Refused(
        Flaw.CHAIN
    )
