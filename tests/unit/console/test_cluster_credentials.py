"""Credentials of a release: made once, kept, and consistent between those who hold the halves."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from typer.testing import CliRunner

from gpt_trader.console.__main__ import app
from gpt_trader.console.cluster.api import decoded, encoded
from gpt_trader.console.cluster.credentials import Content, Installation, completed
from gpt_trader.contracts.subjects import Zone
from gpt_trader.exchange_sim.adapters.keys import KeyKind, issue_key
from gpt_trader.risk_gate.adapters.keyfile import load_exchange_key
from gpt_trader.runtime.infrastructure.keys import hash_of, public_of
from gpt_trader.runtime.secret_files import KeyUnusable
from gpt_trader.runtime.signing import Signer, Verifier

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DEMO = Installation(egress=("rel-egress", "rel-egress.ns.svc"), exchange=("0.0.0.0", "rel-exchange"))
LIVE = Installation(egress=("rel-egress",))


def changed(before: Mapping[str, Content], after: Mapping[str, Content]) -> set[str]:
    return {short for short in after if before.get(short) != after[short]}


def test_a_second_run_changes_nothing_a_year_later() -> None:
    made = completed({}, DEMO, NOW)

    assert completed(made, DEMO, NOW + timedelta(days=365)) == made


def test_two_releases_share_no_private_half() -> None:
    one, other = completed({}, DEMO, NOW), completed({}, DEMO, NOW)

    private = {"clock-origin"}
    assert not [
        (short, key)
        for short in one
        for key in one[short]
        if key not in private and one[short][key] == other[short][key]
    ]


@pytest.mark.parametrize(("lost", "follows"), [
    ("bus-strategy", {"bus-strategy", "bus-server"}),
    ("gate", {"gate", "public", "redis-server"}),
    ("redis-operator", {"redis-operator", "redis-server"}),
    ("exchange-sim", {"exchange-sim", "venue-key", "public"}),
    ("public", {"public"}),
    ("bus-server", {"bus-server"}),
])  # fmt: skip
def test_a_deleted_secret_is_made_anew_with_what_follows_from_it(lost: str, follows: set[str]) -> None:
    made = completed({}, DEMO, NOW)
    held = {short: content for short, content in made.items() if short != lost}

    again = completed(held, DEMO, NOW + timedelta(days=1))

    assert changed(held, again) <= follows
    assert lost in changed(held, again)
    assert set(again) == set(made)


@pytest.mark.parametrize(("short", "content", "reason"), [
    ("gate", {"signing.seed": "x"}, "Secret gate lacks egress.crt, egress.key, egress-ca.crt, redis.password"),
    ("bus-executor", {"key": "SU"}, "Secret bus-executor lacks seed"),
    ("bus-executor", {"seed": "no seed"}, "Secret bus-executor: seed is no nkey seed"),
])  # fmt: skip
def test_a_secret_that_somebody_made_wrong_is_named(short: str, content: Content, reason: str) -> None:
    with pytest.raises(KeyUnusable, match=reason):
        completed({short: content}, LIVE, NOW)


def test_the_bus_server_learns_public_keys_only() -> None:
    made = completed({}, LIVE, NOW)

    assert made["bus-server"]["NKEY_RISK_GATE"] == public_of(made["bus-risk-gate"]["seed"])
    assert len(made["bus-server"]) == len(Zone) + 2
    assert all(re.fullmatch("U[A-Z2-7]{55}", key) for key in made["bus-server"].values())


def test_the_executor_can_check_what_the_gate_signs() -> None:
    made = completed({}, LIVE, NOW)
    signature = Signer.of(made["gate"]["signing.seed"], key_id="gate-1", origin="test").sign(b"body")

    assert Verifier.pinned({"gate-1": made["public"]["gate.pub"]}).is_valid(b"body", "gate-1", signature)


def test_the_store_knows_the_passwords_by_their_hash_alone() -> None:
    made = completed({}, LIVE, NOW)
    acl = made["redis-server"]["users.acl"]

    assert f"user risk-gate on #{hash_of(made['gate']['redis.password'])}" in acl
    assert made["gate"]["redis.password"] not in acl
    assert "user executor" not in acl


def test_the_certificates_are_for_the_names_that_are_called() -> None:
    made = completed({}, DEMO, NOW)
    egress = x509.load_pem_x509_certificate(made["gate"]["egress.crt"].encode())
    authority = x509.load_pem_x509_certificate(made["public"]["egress-ca.crt"].encode())
    names = egress.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    egress.verify_directly_issued_by(authority)
    assert names.get_values_for_type(x509.DNSName) == ["rel-egress", "rel-egress.ns.svc"]
    assert egress.not_valid_after_utc > NOW + timedelta(days=3000)


def test_the_demo_venue_and_the_gate_take_the_same_key(tmp_path: Path) -> None:
    made = completed({}, DEMO, NOW)
    path = tmp_path / "cdp_key.json"
    path.write_text(made["venue-key"]["cdp_key.json"])
    path.chmod(0o600)

    ours, venues = load_exchange_key(path), issue_key(KeyKind.ES256, "another name", path)

    assert ours.name == venues.name == json.loads(made["exchange-sim"]["cdp_key.json"])["name"]
    assert ours.algorithm == venues.algorithm == "ES256"


def test_without_a_simulated_exchange_there_is_no_venue_key_and_no_clock() -> None:
    made = completed({}, LIVE, NOW)

    assert not {"exchange-sim", "venue-key"} & set(made)
    assert set(made["public"]) == {"gate.pub", "egress-ca.crt"}


def test_what_the_api_carries_is_what_was_made() -> None:
    content = completed({}, DEMO, NOW)["gate"]

    assert decoded(encoded(content)) == content


def test_secrets_can_be_printed_for_another_store() -> None:
    words = ["cluster", "bootstrap", "--release", "rel", "--prefix", "rel-gt", "--egress-name", "e", "--print"]

    printed = CliRunner().invoke(app, words)

    manifests = list(yaml.safe_load_all(printed.stdout))
    assert {one["metadata"]["name"] for one in manifests} == {f"rel-gt-{short}" for short in completed({}, LIVE, NOW)}
    assert all(one["kind"] == "Secret" and one["data"] for one in manifests)


def test_outside_a_cluster_the_bootstrap_says_what_is_missing() -> None:
    words = ["cluster", "bootstrap", "--release", "rel", "--prefix", "rel-gt", "--egress-name", "e"]

    ended = CliRunner().invoke(app, words)

    assert ended.exit_code == 1
    assert "bootstrap: " in ended.output
