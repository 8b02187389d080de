"""The default release on a real cluster, from install to uninstall; the tests follow one another."""

import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from helm_python import HelmError
from release import CHART, NAME, NAMESPACE, OURS, ROOT, Release, accepted_at
from venue_books import approvals, fill_mismatches, repeated_orders, unapproved_orders

from gpt_trader.contracts.account import AccountSnapshot, TradingState, TradingStatus
from gpt_trader.contracts.intents import SignedIntent
from gpt_trader.contracts.orders import Fill
from gpt_trader.contracts.subjects import STATE_TRADING
from gpt_trader.runtime.bus import Bus

GATE = "risk-gate"
KINDS = (
    "all,configmaps,secrets,persistentvolumeclaims,serviceaccounts,roles,rolebindings,networkpolicies,"
    "poddisruptionbudgets"
)
"""What a namespace can hold of the chart."""


def positions(fills: list[Fill]) -> dict[str, Decimal]:
    """Fold every fill on the bus into what is held of each product."""
    held: Counter[str] = Counter()
    for fill in fills:
        held[fill.product] += fill.quantity * (1 if fill.side == "buy" else -1)  # type: ignore[assignment] # exact decimals
    return {product: Decimal(quantity) for product, quantity in held.items() if quantity}


def at_the_venue(books: Mapping[str, Any]) -> dict[str, Decimal]:
    totals = {name: Decimal(row["total"]) for name, row in books["balances"].items()}
    return {f"{name}-USD": total for name, total in totals.items() if name != "USD" and total}


def is_whole(release: Release) -> bool:
    """Venue, bus and gate hold the same positions, and the venue's fills are on the bus once each."""
    books = release.books()
    fills = release.history("FILLS", Fill)
    account = release.last("STATE", "account", AccountSnapshot)
    if account is None or fill_mismatches(books, fills):
        return False
    held = {one.product: one.quantity for one in account.positions if one.quantity}
    return held == positions(fills) == at_the_venue(books)


def assert_nothing_was_lost(release: Release) -> None:
    release.until("venue, bus and gate agree", lambda: is_whole(release), 120)
    books = release.books()
    intents = approvals(release.history("INTENTS", SignedIntent, "intents.approved.>"))
    assert not unapproved_orders(books, intents)
    assert not repeated_orders(books)


def is_active(release: Release) -> bool:
    state = release.last("STATE", STATE_TRADING, TradingState)
    return state is not None and state.status is TradingStatus.ACTIVE


def test_the_default_release_installs_and_trades_without_a_key(release: Release) -> None:
    started = time.monotonic()

    release.helm.install(CHART, NAME, {}, create_namespace=True, timeout=300)

    release.figures["install_returned"] = time.monotonic() - started
    release.until("the first fill", release.has_filled, 300)
    release.figures["install_to_first_fill"] = time.monotonic() - started
    release.until("every pod is ready", lambda: not waiting(release), 120)
    release.figures["install_to_all_ready"] = time.monotonic() - started


def waiting(release: Release) -> list[str]:
    running = [one for one in release.objects("pods", "-l", OURS) if one["status"]["phase"] != "Succeeded"]
    return [
        one["metadata"]["name"]
        for one in running
        if not all(state["ready"] for state in one["status"].get("containerStatuses", [{"ready": False}]))
    ]


def test_no_pod_restarted_while_the_release_came_up(release: Release) -> None:
    restarts = {
        one["metadata"]["name"]: state["restartCount"]
        for one in release.objects("pods", "-l", OURS)
        for state in one["status"]["containerStatuses"]
    }

    assert restarts
    assert not {name: count for name, count in restarts.items() if count}


def test_helm_test_passes(release: Release) -> None:
    started = time.monotonic()

    answer = release.helm.test(NAME, timeout=420, logs=True)

    release.figures["helm_test"] = time.monotonic() - started
    assert "can not publish" in answer["logs"]


def test_a_worker_runs_storms_from_the_queue(release: Release) -> None:
    """As docs/services/lab.md says: submitted through a port-forward, with the report of a run on this machine."""
    started = time.monotonic()
    release.upgrade({"lab": {"workers": 1}})
    release.until("the worker is ready", lambda: release.is_ready("lab"), 120)
    release.figures["lab_upgrade_to_worker_ready"] = time.monotonic() - started

    with release.forwarded(f"service/{NAME}-nats", 4222) as port:
        bus = ("--nats-url", f"nats://127.0.0.1:{port}", "--nats-seed-file", str(release.operator_seed()))
        started = time.monotonic()
        there = storm("--seeds", "20", "--on-bus", *bus)
        release.figures["lab_20_seeds"] = time.monotonic() - started

    assert there == storm("--seeds", "20")
    assert there["seeds"] == 20
    release.upgrade({})
    release.until("the worker is gone", lambda: not release.is_ready("lab"), 60)


def storm(*words: str) -> dict[str, Any]:
    argv = [sys.executable, "-m", "gpt_trader.lab", "storm", "--json", *words]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return {name: value for name, value in found.items() if name not in {"seconds", "schedules_per_second"}}


def test_only_the_gate_mounts_the_gates_secrets_and_nobody_has_a_token(release: Release) -> None:
    pods = release.objects("pods", "-l", OURS)
    mounted = {
        one["metadata"]["labels"]["app.kubernetes.io/component"]: str(one["spec"].get("volumes", [])) for one in pods
    }

    assert [who for who, volumes in mounted.items() if f"{NAME}-gate'" in volumes] == [GATE]
    assert not [who for who, volumes in mounted.items() if "serviceAccountToken" in volumes and who != "bootstrap"]


def test_a_killed_gate_comes_back_and_nothing_is_lost(release: Release) -> None:
    before = release.pod(GATE)["metadata"]
    orders = {order["client_order_id"] for order in release.books()["orders"]}
    assert orders
    started = time.monotonic()

    release.kubectl("delete", "pod", before["name"], "--grace-period=0", "--force", "--wait=false")

    release.until("another gate is ready", lambda: release.is_ready(GATE, since=before["uid"]), 180)
    release.figures["gate_killed_to_ready"] = time.monotonic() - started
    assert orders <= {order["client_order_id"] for order in release.books()["orders"]}
    assert_nothing_was_lost(release)
    release.until("trading is active again", lambda: is_active(release), 120)


def test_a_missing_credential_is_named_with_what_to_do(release: Release) -> None:
    held = release.objects("secrets", "--field-selector", f"metadata.name={NAME}-bus-strategy")[0]
    keep = {"labels", "name"}
    held["metadata"] = {name: value for name, value in held["metadata"].items() if name in keep}
    (release.folder / "held.json").write_text(json.dumps(held))
    release.kubectl("delete", "secret", f"{NAME}-bus-strategy")
    try:
        release.kubectl("delete", "pod", "--wait=false", "-l", f"{OURS},app.kubernetes.io/component=strategy")

        release.until(
            "it is said why", lambda: "is the Secret with the seed there?" in said_last(release, "strategy"), 60
        )

        assert not release.is_ready("strategy")
    finally:
        release.kubectl("apply", "-f", str(release.folder / "held.json"))
    release.kubectl("delete", "pod", "--wait=false", "-l", f"{OURS},app.kubernetes.io/component=strategy")
    release.until("strategy is ready again", lambda: release.is_ready("strategy"), 90)


def said_last(release: Release, component: str) -> str:
    """Return a pod's termination messages: what `kubectl describe pod` shows."""
    states = release.pod(component)["status"].get("initContainerStatuses", [])
    ends = [one.get(key, {}).get("terminated", {}) for one in states for key in ("state", "lastState")]
    return " ".join(end.get("message", "") for end in ends)


def test_an_upgrade_and_a_rollback_keep_positions(release: Release) -> None:
    release.until("something is held", lambda: bool(positions(release.history("FILLS", Fill))), 300)
    fills = {fill.fill_id for fill in release.history("FILLS", Fill)}
    before = release.pod(GATE)["metadata"]["uid"]
    started = time.monotonic()

    release.upgrade({"riskGate": {"reconcileSeconds": 20}, "executor": {"reconcileSeconds": 40}})

    release.figures["upgrade"] = time.monotonic() - started
    assert release.pod(GATE)["metadata"]["uid"] != before, "the gate was not told its new settings"
    assert_nothing_was_lost(release)
    started = time.monotonic()
    release.helm.rollback(NAME, version=1, wait="watcher", timeout=300)
    release.figures["rollback"] = time.monotonic() - started
    assert_nothing_was_lost(release)
    assert fills <= {fill.fill_id for fill in release.history("FILLS", Fill)}
    assert [one["status"] for one in release.helm.history(NAME)][-1] == "deployed"


@pytest.mark.parametrize(("values", "reason"), [
    ({"mode": "dry_run", "venue": {"existingSecret": "coinbase"}}, "the journal on state-gpt-trader-risk-gate-0"),
    ({"fullnameOverride": "other"}, "this release runs as gpt-trader"),
    ({"nats": {"replicas": 3}}, "the streams would be lost"),
])  # fmt: skip
def test_an_upgrade_that_would_lose_the_state_is_refused(
    release: Release, values: Mapping[str, Any], reason: str
) -> None:
    with pytest.raises(HelmError, match=reason):
        release.upgrade(values)

    assert release.is_ready(GATE)


def test_a_drained_node_gives_the_gate_back(release: Release) -> None:
    pod = release.pod(GATE)
    node = pod["spec"]["nodeName"]
    started = time.monotonic()
    try:
        release.kubectl(
            "drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=120s",
            "--pod-selector", f"{OURS},app.kubernetes.io/component={GATE}",
        )  # fmt: skip
        release.figures["drain"] = time.monotonic() - started
    finally:
        release.kubectl("uncordon", node)

    release.until("another gate is ready", lambda: release.is_ready(GATE, since=pod["metadata"]["uid"]), 180)
    release.figures["drain_to_ready"] = time.monotonic() - started
    assert_nothing_was_lost(release)


def test_a_kill_by_configmap_halts_within_seconds(release: Release) -> None:
    """Without the bus: the annotation makes the kubelet look at once, as NOTES.txt says."""
    release.until("trading is active", lambda: is_active(release), 180)
    name, pod = f"{NAME}-kill", release.pod(GATE)["metadata"]["name"]
    started = time.monotonic()

    release.kubectl("create", "configmap", name, "--from-literal=KILL=now")
    release.kubectl("annotate", "pod", pod, "--overwrite", "kill=1")

    release.until("the gate is halted", lambda: is_halted(release), 20)
    release.figures["configmap_kill_to_halted"] = time.monotonic() - started
    release.kubectl("delete", "configmap", name)
    release.kubectl("annotate", "pod", pod, "--overwrite", "kill=2")
    release.until("the gate may be reset", lambda: was_reset(release), 120)


def was_reset(release: Release) -> bool:
    """Ask for a reset: refused while the file is there."""

    async def work(bus: Bus) -> None:
        await bus.store("control.reset", b'{"reason": "seen"}', message_id=f"reset-{time.time()}")

    release.as_operator(work)
    time.sleep(1)
    return is_active(release)


def test_credentials_are_rotated_while_it_runs(release: Release) -> None:
    """The gate's bus key and another's: new seeds, the server's keys with them, every pod restarted, nothing lost."""
    before = {short: release.secret(short, "seed") for short in ("bus-risk-gate", "bus-strategy")}
    for short in before:
        release.kubectl("delete", "secret", f"{NAME}-{short}")
    started = time.monotonic()

    release.upgrade({"credentials": {"rotation": 1}})
    release.until("trading is active", lambda: is_active(release), 180)

    release.figures["rotated_to_active"] = time.monotonic() - started
    assert all(release.secret(short, "seed") != seed for short, seed in before.items())
    assert_nothing_was_lost(release)
    assert "FencedOff" not in release.kubectl("logs", f"{NAME}-risk-gate-0")


def test_a_kill_by_the_nats_command_line_halts_the_release(release: Release) -> None:
    if shutil.which("nats") is None:
        pytest.skip("the nats command line is not on PATH: install it (github.com/nats-io/natscli)")
    release.until("trading is active", lambda: is_active(release), 180)
    orders = len(release.books()["orders"])
    release.until("it trades", lambda: len(release.books()["orders"]) > orders, 240)

    with release.forwarded(f"service/{NAME}-nats", 4222) as port:
        words = ["--server", f"nats://127.0.0.1:{port}", "--nkey", str(release.operator_seed())]
        killed_at = time.time()
        subprocess.run(["nats", *words, "pub", "control.kill", "now"], check=True, timeout=30, capture_output=True)
        published = time.time() - killed_at

    release.figures["kill_published"] = published
    release.until("the gate acknowledges", lambda: is_halted(release), 60)
    release.figures["kill_to_halted"] = time.time() - killed_at
    time.sleep(20)
    books = release.books()
    moments = sorted(accepted_at(books).values())
    release.figures["orders"] = len(moments)
    release.figures["orders_per_minute"] = 60 * (len(moments) - 1) / (moments[-1] - moments[0])
    release.figures["kill_to_last_order"] = max(0.0, moments[-1] - killed_at)
    assert release.figures["kill_to_last_order"] < published + 1
    assert not [order for order in books["orders"] if order["status"] in {"OPEN", "PENDING", "QUEUED"}]
    assert_nothing_was_lost(release)


def is_halted(release: Release) -> bool:
    state = release.last("STATE", STATE_TRADING, TradingState)
    return state is not None and state.status is TradingStatus.HALTED


def test_a_halted_release_stays_halted_when_the_gate_comes_back(release: Release) -> None:
    if not is_halted(release):
        pytest.skip("it was not killed: the nats command line is missing")
    before = release.pod(GATE)["metadata"]
    orders = len(release.books()["orders"])

    release.kubectl("delete", "pod", before["name"], "--wait=false")
    release.until("another gate runs", lambda: release.pod_other_than(GATE, before["uid"]), 180)
    time.sleep(15)

    assert is_halted(release)
    assert len(release.books()["orders"]) == orders


def test_a_halted_release_can_be_upgraded_and_stays_halted(release: Release) -> None:
    """With a new signing key, egress certificate and store passwords: the rotation that wants nothing open."""
    if not is_halted(release):
        pytest.skip("it was not killed: the nats command line is missing")
    orders, key = len(release.books()["orders"]), release.secret("gate", "signing.seed")
    for short in ("gate", "redis-operator"):
        release.kubectl("delete", "secret", f"{NAME}-{short}")
    started = time.monotonic()

    release.upgrade({"credentials": {"rotation": 2}})

    release.figures["upgrade_while_halted"] = time.monotonic() - started
    assert release.secret("gate", "signing.seed") != key
    assert is_halted(release)
    assert len(release.books()["orders"]) == orders


def test_after_the_reset_it_trades_with_the_new_keys(release: Release) -> None:
    if not is_halted(release):
        pytest.skip("it was not killed: the nats command line is missing")
    orders = len(release.books()["orders"])

    release.until("the gate may be reset", lambda: was_reset(release), 60)

    release.until("it trades", lambda: len(release.books()["orders"]) > orders, 240)
    assert_nothing_was_lost(release)


async def kill(bus: Bus) -> None:
    await bus.store("control.kill", b"now", message_id=f"kill-{time.time()}")


def test_a_backup_is_restored_and_the_release_goes_on(release: Release) -> None:
    """While halted, so that nothing happens between the two; the reset then says that the books agree."""
    release.as_operator(kill)
    release.until("the gate is halted", lambda: is_halted(release), 60)
    time.sleep(5)  # what was open is canceled
    words = [sys.executable, str(ROOT / "deploy/kubernetes/backup.py")]
    where = [NAME, NAMESPACE, str(release.folder / "backup")]
    held, started = positions(release.history("FILLS", Fill)), time.monotonic()

    subprocess.run([*words, "backup", *where], check=True, timeout=400)
    release.figures["backup"] = time.monotonic() - started
    started = time.monotonic()
    subprocess.run([*words, "restore", *where, "--replace"], check=True, timeout=400)
    release.figures["restore"] = time.monotonic() - started
    release.until("the gate is ready", lambda: release.is_ready(GATE), 180)
    release.figures["restore_to_ready"] = time.monotonic() - started

    assert is_halted(release)
    assert positions(release.history("FILLS", Fill)) == held
    assert_nothing_was_lost(release)
    release.until("the gate may be reset", lambda: was_reset(release), 60)


def test_an_uninstall_leaves_the_volumes_and_secrets_and_nothing_else(release: Release) -> None:
    release.helm.uninstall(NAME, wait="watcher", timeout=180)

    release.until("pods are gone", lambda: not release.objects("pods"), 120)
    left = {one["kind"] for one in release.objects(KINDS, "-l", OURS)}
    strangers = [one["metadata"]["name"] for one in release.objects(KINDS) if not is_the_clusters_own(one)]
    assert left == {"Secret", "PersistentVolumeClaim"}
    assert not [name for name in strangers if not name.startswith((f"{NAME}-", f"state-{NAME}-"))]

    release.kubectl("delete", "persistentvolumeclaims,secrets", "-l", f"app.kubernetes.io/name=gpt-trader,{OURS}")
    assert not release.objects(KINDS, "-l", OURS)
    assert not [one["metadata"]["name"] for one in release.objects(KINDS) if not is_the_clusters_own(one)]


def is_the_clusters_own(one: Mapping[str, Any]) -> bool:
    """Tell what every namespace has, whoever uses it."""
    return (one["kind"], one["metadata"]["name"]) in {("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")}
