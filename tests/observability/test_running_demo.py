"""One demo, looked at from all sides: endpoints, the trace of an order, its log lines, and every panel's query."""

import json
import re
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from harness import RunningSystem, system
from watching import DASHBOARDS, ROOT, Prometheus, Receiver, Span, binary, prometheus, receiver, tree

from gpt_trader.contracts.ids import SignalId
from gpt_trader.contracts.signals import Action, Side, Signal
from gpt_trader.contracts.subjects import Zone, signals
from gpt_trader.runtime.bus import Bus

TRADING = {"market-data", "strategy", "risk-gate", "executor", "learning"}
SERVICES = {*TRADING, "exchange-sim"}
STEPS = {
    ("strategy", "decide"),
    ("risk-gate", "review"),
    ("executor", "submit"),
    ("risk-gate", "egress"),
    ("risk-gate", "permit"),
    ("risk-gate", "venue"),
    ("executor", "report fill"),
}
"""What an order's trace must show beside the messages on their way: who did what."""
FEW_TICKS = ("--ticks-per-second", "30")
"""Each tick makes half a dozen spans, all of which this process reads."""
QUIET = {
    "Alerts of the executor in the last hour",
    "Messages that could not be read, last hour",
    "Messages given back, last hour",
    "Snapshots, last hour",
    "Products that became dirty, last hour",
    "Prices not believed, last hour",
    "Messages lost, late, unreadable, not sent (per minute)",
    "Backfills to be tried again, last hour",
    "Exits in the gate's own name, last hour",
    "Parameters adopted or refused, last hour",
}
"""Panels that show a zero of their own while nothing of what they count has happened."""
METRICS_PAGE = ROOT / "docs/observability/metrics.md"
OURS = re.compile(r"^# TYPE ((?!python_|process_)\w+) (\w+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo with a receiver of its traces."""

    system: RunningSystem
    traces: Receiver
    folder: Path

    def targets(self) -> dict[str, str]:
        listed = json.loads((self.system.run_dir / "prometheus-targets.json").read_text())
        return {one["labels"]["service"]: one["targets"][0] for one in listed}

    def whole_trace(self) -> list[Span] | None:
        """Return the spans of an order from its tick to its fill in everybody's books, once there is one."""
        return next((spans for spans in self.traces.traces().values() if is_whole(spans)), None)

    def lines(self) -> list[dict[str, Any]]:
        """Return every structured log line of every service."""
        logs = (self.system.run_dir / "logs" / f"{service}.log" for service in TRADING)
        return [json.loads(line) for log in logs for line in log.read_text().splitlines() if line.startswith('{"')]


def is_whole(spans: list[Span]) -> bool:
    steps = {(span.service, span.name) for span in spans}
    booked = {span.service for span in spans if span.name.startswith("fills.")}
    return steps >= STEPS and booked >= {"risk-gate", "learning"} and spans[0].service == "market-data"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("observed")
    with receiver() as traces, system(folder, *FEW_TICKS, "--otlp-endpoint", traces.endpoint) as running:
        yield Demo(running, traces, folder)


@pytest.fixture(scope="module")
def watched(demo: Demo) -> Iterator[Prometheus]:
    binary("prometheus")
    with prometheus(demo.folder, demo.targets()) as server:
        yield server


def test_every_service_says_how_it_is(demo: Demo) -> None:
    assert demo.targets().keys() == SERVICES
    for service, address in demo.targets().items():
        answers = {path: get(f"http://{address}/{path}") for path in ("livez", "readyz", "health", "metrics")}

        assert answers["livez"] == "alive\n"
        assert json.loads(answers["readyz"])["is_ready"] is True
        assert json.loads(answers["health"])["service"] == service
        assert "service_ready 1.0" in answers["metrics"]


def test_one_trace_leads_from_the_tick_to_the_fill_through_all_services(demo: Demo, watched: Prometheus) -> None:
    assert watched.address  # it looks while we wait for an order
    demo.system.until("a trace from tick to fill", lambda: demo.whole_trace() is not None, 120)
    spans = demo.whole_trace()
    assert spans is not None
    (ROOT / "var").mkdir(exist_ok=True)
    (ROOT / "var/trace.txt").write_text(f"{tree(spans)}\n")

    assert {span.service for span in spans} == TRADING
    assert len({span.trace for span in spans}) == 1
    known = {span.number for span in spans}
    assert [span.name for span in spans if span.parent not in known] == [spans[0].name], tree(spans)
    assert spans[0].name in {"tick", "candles"}


def test_every_line_about_an_order_names_the_decision_behind_it(demo: Demo) -> None:
    lines = demo.lines()
    fill = next(line for line in lines if line["event"] == "fill")
    about = [line for line in lines if line.get("client_order_id") == fill["client_order_id"]]
    path = [line for line in lines if line.get("decision_id") == fill["decision_id"]]

    assert {line.get("decision_id") for line in about} == {fill["decision_id"]}
    events = {(line["service"], line["event"]) for line in path}
    assert events >= {
        ("risk-gate", "signal_approved"),
        ("risk-gate", "permit_issued"),
        ("risk-gate", "fill_counted"),
        ("executor", "order"),
        ("executor", "fill"),
        ("learning", "recorded"),
    }
    asked = next(line["wish"] for line in path if line["event"] == "signal_approved")
    assert [line["service"] for line in lines if line["event"] == "signal" and line["signal_id"] == asked] == [
        "strategy"
    ]


def test_every_metric_is_on_the_page_of_metrics_and_no_other(demo: Demo) -> None:
    served = {
        f"{family[0]}"
        for address in demo.targets().values()
        for family in OURS.findall(get(f"http://{address}/metrics"))
    }
    served = {name for name in served if not name.endswith("_created")}
    documented = set(re.findall(r"^\| `(\w+)` \|", METRICS_PAGE.read_text(), re.MULTILINE))

    assert documented == served


def test_every_panel_of_every_dashboard_shows_something(demo: Demo, watched: Prometheus) -> None:
    demo.system.until("a trace from tick to fill", lambda: demo.whole_trace() is not None, 120)
    assert demo.system.trader("pause", "--product", "LTC-USD", "--minutes", "60").returncode == 0  # cause and command
    demo.system.as_zone(Zone.STRATEGY, ask_too_late)
    wanted = [(path.stem, panel["title"], query(target)) for path in DASHBOARDS for panel, target in targets(path)]
    deadline = time.monotonic() + 60
    empty = [(name, title, asked) for name, title, asked in wanted if title not in QUIET]
    while empty and time.monotonic() < deadline:
        empty = [one for one in empty if not watched.query(plain(one[2]))]
        time.sleep(0.5 if empty else 0)

    assert len(wanted) > 100
    assert not empty
    assert not [one for one in wanted if not watched.query(one[2])]


async def ask_too_late(strategy: Bus) -> None:
    """Send a signal that must be denied, so that there is a denial to count."""
    then = datetime(2020, 1, 1, tzinfo=UTC)
    late = Signal(
        signal_id=SignalId("too-late"),
        strategy="trend",
        product="BTC-USD",
        action=Action.ENTER,
        side=Side.BUY,
        confidence=Decimal(1),
        reference_price=Decimal(1),
        stop_price=None,
        target_price=None,
        reason="too late",
        evidence={},
        parameters_version="1",
        caused_by="test",
        created_at=then,
        expires_at=then,
    )
    await strategy.store(signals(late.strategy, late.product), late, message_id=late.signal_id)


def targets(path: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    panels = json.loads(path.read_text())["panels"]
    return [(panel, target) for panel in panels for target in panel.get("targets", [])]


def query(target: dict[str, Any]) -> str:
    return str(target["expr"]).replace("$__rate_interval", "15s")


def plain(expression: str) -> str:
    """Return a query without the zero that it shows for want of anything else."""
    return re.sub(r" or vector\([01]\)$", "", expression)


def get(address: str) -> str:
    with urllib.request.urlopen(address, timeout=5) as answer:
        return str(answer.read().decode())
