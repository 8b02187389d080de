from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.runtime.secret_files import KeyUnusable, write_secret
from gpt_trader.runtime.signing import Signer, Verifier, generate_seed

PAYLOAD = b'{"body":"exactly these bytes"}'


def a_signer(folder: Path, key_id: str = "gate-1") -> Signer:
    path = folder / f"{key_id}.seed"
    write_secret(path, generate_seed())
    return Signer.load(path, key_id=key_id)


def test_a_signature_holds_for_the_pinned_key(tmp_path: Path) -> None:
    signer = a_signer(tmp_path)

    verifier = Verifier.pinned({"gate-1": signer.public_key})

    assert verifier.is_valid(PAYLOAD, "gate-1", signer.sign(PAYLOAD))


def test_another_key_another_id_or_another_payload_does_not_hold(tmp_path: Path) -> None:
    signer, stranger = a_signer(tmp_path), a_signer(tmp_path, "gate-2")
    verifier = Verifier.pinned({"gate-1": signer.public_key})

    assert not verifier.is_valid(PAYLOAD, "gate-1", stranger.sign(PAYLOAD))
    assert not verifier.is_valid(PAYLOAD, "gate-2", stranger.sign(PAYLOAD))
    assert not verifier.is_valid(PAYLOAD + b" ", "gate-1", signer.sign(PAYLOAD))


@given(st.text(max_size=100))
def test_no_text_passes_for_a_signature(text: str) -> None:
    verifier = Verifier.pinned({"gate-1": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="})

    assert not verifier.is_valid(PAYLOAD, "gate-1", text)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_seed_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "seed"
    write_secret(path, generate_seed())
    path.chmod(mode)

    with pytest.raises(KeyUnusable, match=f"{mode:04o}"):
        Signer.load(path, key_id="gate-1")


@pytest.mark.parametrize("content", ["", "not base64!", "c2hvcnQ="])
def test_what_is_no_key_is_refused_with_the_file_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "seed"
    write_secret(path, content)

    with pytest.raises(KeyUnusable, match=str(path)) as refusal:
        Signer.load(path, key_id="gate-1")
    assert content == "" or content not in str(refusal.value)


def test_a_missing_seed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match="No such file"):
        Signer.load(tmp_path / "none", key_id="gate-1")


def test_a_secret_is_written_for_its_owner_only(tmp_path: Path) -> None:
    write_secret(tmp_path / "gate" / "seed", "x")

    assert (tmp_path / "gate" / "seed").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "gate").stat().st_mode & 0o777 == 0o700


def test_a_signer_does_not_show_its_key(tmp_path: Path) -> None:
    signer = a_signer(tmp_path)

    assert (tmp_path / "gate-1.seed").read_text() not in repr(signer)
