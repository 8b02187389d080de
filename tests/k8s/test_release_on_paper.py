"""Paper on a real cluster, after the demo is gone: a second exchange-sim, outside the release, is the real venue."""

import asyncio
import json
import re
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import yaml
from release import CHART, NAME, NAMESPACE, OURS, Release

from gpt_trader.console.cluster.credentials import EXCHANGE, Installation, completed
from gpt_trader.contracts.ids import SignalId
from gpt_trader.contracts.market import Tick
from gpt_trader.contracts.orders import Fill
from gpt_trader.contracts.sharding import shard_of
from gpt_trader.contracts.signals import Action, Side, Signal
from gpt_trader.contracts.subjects import Zone, signals, ticks
from gpt_trader.contracts.telemetry import Alert
from gpt_trader.runtime.bus import Bus, decoded
from gpt_trader.runtime.clock import SystemClock

VENUE, BTC = "real-venue", "BTC-USD"
WORDS = (
    "--host=0.0.0.0", "--port=8443", "--health-host=0.0.0.0", "--health-port=8080", "--state-dir=/venue", "--seed=11",
    "--products=BTC-USD,ETH-USD,SOL-USD", "--ticks-per-second=60", "--public-limit=1000",
)  # fmt: skip
IMAGE = f"gpt-trader/exchange-sim:{yaml.safe_load((CHART / 'Chart.yaml').read_text())['appVersion']}"


def objects_of_the_venue() -> tuple[list[dict[str, Any]], str]:
    """Describe a venue that is no part of the release, and the authority that certifies it."""
    wanted = Installation(egress=("none",), exchange=("0.0.0.0", VENUE))
    held = completed({}, wanted, SystemClock().wall())[EXCHANGE]
    container = {
        "name": "venue",
        "image": IMAGE,
        "args": list(WORDS),
        "volumeMounts": [{"name": "venue", "mountPath": "/venue"}, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - in its pod
    }
    volumes = [{"name": "venue", "secret": {"secretName": VENUE}}, {"name": "tmp", "emptyDir": {}}]
    own = {"name": VENUE, "labels": {"app": VENUE}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": own, "spec": {"containers": [container], "volumes": volumes}}
    port = {"port": 8443, "targetPort": 8443}
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": own, "spec": {"selector": {"app": VENUE}, "ports": [port]},
    }  # fmt: skip
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": own, "stringData": dict(held)}
    return [secret, pod, service], held["ca.pem"]


@pytest.fixture(scope="module")
def paper(release: Release) -> Iterator[Release]:
    """Install values-paper.yaml against that venue, with short candles and two shards of the strategy."""
    objects, authority = objects_of_the_venue()
    manifest = release.folder / "venue.json"
    manifest.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    if not release.objects("namespaces", "--field-selector", f"metadata.name={NAMESPACE}"):
        release.kubectl("create", "namespace", NAMESPACE)
    release.kubectl("apply", "-f", str(manifest))
    values: dict[str, Any] = yaml.safe_load((CHART / "values-paper.yaml").read_text())
    values |= {
        "metrics": {},
        "policy": {"profile": "demo"},
        "venue": {"rest": f"{VENUE}:8443", "feed": f"wss://{VENUE}:8443", "authority": authority},
        "networkPolicy": {"venue": {"except": [], "port": 8443}},
    }
    values["strategy"]["shards"] = 2
    release.helm.install(CHART, NAME, values, timeout=300)
    release.until("the gate is ready", lambda: release.is_ready("risk-gate"), 300)
    yield release
    release.helm.uninstall(NAME, wait="watcher", timeout=180)
    release.kubectl("delete", "-f", str(manifest), "--wait=false")
    release.kubectl("delete", "persistentvolumeclaims,secrets", "-l", f"app.kubernetes.io/name=gpt-trader,{OURS}")


def requests_of_the_venue(release: Release) -> dict[str, int]:
    """Return how many REST requests came to the real venue, by method."""
    with (
        release.forwarded(f"pod/{VENUE}", 8080) as port,
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer,
    ):
        found = re.findall(r'exchange_sim_requests_total\{method="(\w+)"[^}]*\} (\S+)', answer.read().decode())
    return {method: sum(int(float(count)) for name, count in found if name == method) for method, _ in found}


def asked(release: Release, product: str) -> Tick:
    """Ask for an entry as the strategy does, at the price that the bus tells; returns that price."""

    async def price(bus: Bus) -> Tick:
        heard: asyncio.Future[Tick] = asyncio.get_running_loop().create_future()

        async def on_tick(tick: Tick, _received: object) -> None:
            if not heard.done():
                heard.set_result(tick)

        await bus.subscribe(ticks(product), decoded(Tick, on_tick))
        return await asyncio.wait_for(heard, 30)

    tick, now = release.as_operator(price), SystemClock().now()
    signal = Signal(
        signal_id=SignalId(f"paper-{now.timestamp()}"), strategy="trend", product=product, action=Action.ENTER,
        side=Side.BUY, confidence=Decimal(1), reference_price=tick.mid, stop_price=tick.mid * Decimal("0.97"),
        target_price=None, reason="trial", evidence={}, parameters_version="1", caused_by="trial", created_at=now,
        expires_at=now + timedelta(seconds=30),
    )  # fmt: skip

    async def say(bus: Bus) -> None:
        await bus.store(signals("trend", product), signal, message_id=signal.signal_id)

    release.as_zone(Zone.STRATEGY, say)
    return tick


def test_orders_fill_at_the_real_venues_prices_and_never_reach_it(paper: Release) -> None:
    tick = asked(paper, BTC)
    paper.until("a fill", lambda: bool(paper.history("FILLS", Fill)), 120)

    fill = next(one for one in paper.history("FILLS", Fill) if one.product == BTC)
    orders = {order["client_order_id"] for order in paper.books()["orders"]}
    assert abs(fill.price / tick.mid - 1) < Decimal("0.02")
    assert fill.client_order_id in orders
    assert paper.books(VENUE)["orders"] == []
    assert requests_of_the_venue(paper).keys() == {"GET"}


def test_no_pod_of_paper_mounts_a_key_of_a_real_venue(paper: Release) -> None:
    mounted = {
        one["metadata"]["labels"]["app.kubernetes.io/component"]: str(one["spec"].get("volumes", []))
        for one in paper.objects("pods", "-l", OURS)
    }

    assert [who for who, volumes in mounted.items() if "cdp_key.json" in volumes] == ["risk-gate"]
    assert f"{NAME}-venue-key'" in mounted["risk-gate"]
    assert "coinbase" not in str(mounted)


def test_a_shard_that_is_gone_is_named_and_the_other_lives(paper: Release) -> None:
    assert shard_of(BTC, 2) == 1
    paper.kubectl("scale", f"deployment/{NAME}-strategy-1", "--replicas=0")

    def told() -> list[Alert]:
        return [one for one in paper.history("ALERTS", Alert) if one.code == "strategy_silent"]

    paper.figures["shard_gone_to_alarm"] = paper.until("the alarm", lambda: bool(told()), 90)
    assert "strategy's shard 1 of 2" in told()[-1].text
    paper.kubectl("scale", f"deployment/{NAME}-strategy-1", "--replicas=1")
    paper.kubectl("rollout", "status", f"deployment/{NAME}-strategy-1", "--timeout=120s")
    assert len(told()) == 1
