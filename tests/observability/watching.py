"""What looks at a running system from outside: a real Prometheus, and a receiver of traces."""

import asyncio
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ROOT = Path(__file__).parents[2]
CHART_FILES = ROOT / "deploy/helm/gpt-trader/files"
ALERTS = sorted((CHART_FILES / "alerts").glob("*.yaml"))
DASHBOARDS = sorted((CHART_FILES / "dashboards").glob("*.json"))
INSTALL = "is not on PATH: install Debian's package `prometheus` to run this test"


def binary(name: str) -> str:
    """Find a program of the Prometheus package, or skip."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} {INSTALL}")
    return found


def rules() -> list[dict[str, Any]]:
    """Return every alert rule that the chart ships."""
    groups = [group for path in ALERTS for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A server that scrapes and judges; everything is asked over its HTTP API."""

    address: str
    log: Path

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the samples of an instant query."""
        answer = self._get(f"/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
        return list(answer["data"]["result"])

    def firing(self) -> set[tuple[str, str]]:
        """Return name and severity of every alert that fires."""
        alerts = self._get("/api/v1/alerts")["data"]["alerts"]
        return {(one["labels"]["alertname"], one["labels"]["severity"]) for one in alerts if one["state"] == "firing"}

    def until(self, is_so: Callable[[], object], what: str, seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}; firing: {sorted(self.firing())}"
            time.sleep(0.1)

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.address}{path}", timeout=10) as answer:
            return orjson.loads(answer.read())


@contextmanager
def prometheus(folder: Path, targets: Mapping[str, str], rule_files: Sequence[Path] = ()) -> Iterator[Prometheus]:
    """Run a Prometheus that looks each half second at `targets`, which are host:port by service."""
    port, program = free_port(), binary("prometheus")
    listed = [{"targets": [target], "labels": {"service": service}} for service, target in targets.items()]
    (folder / "targets.json").write_bytes(orjson.dumps(listed))
    config = {
        "global": {"scrape_interval": "500ms", "scrape_timeout": "400ms", "evaluation_interval": "500ms"},
        "rule_files": [str(path) for path in rule_files],
        "scrape_configs": [{"job_name": "gpt-trader", "file_sd_configs": [{"files": [str(folder / "targets.json")]}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    argv = [
        program, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn",
    ]  # fmt: skip
    server = Prometheus(f"http://127.0.0.1:{port}", folder / "prometheus.log")
    with server.log.open("wb") as sink:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
    try:
        deadline = time.monotonic() + 20
        while not _answers(server.address):
            assert process.poll() is None, server.log.read_text()
            assert time.monotonic() < deadline, server.log.read_text()
            time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        process.wait(20)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/-/ready", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def hurried(target: Path, replaced: Mapping[str, Sequence[tuple[str, str]]]) -> Path:
    """Write the chart's rules as one file for a test: waits of a second, windows of seconds, thresholds as given.

    What the true waits, windows and thresholds do is held by the rules' own unit tests.
    """
    groups = [group for path in ALERTS for group in yaml.safe_load(path.read_text())["groups"]]
    for rule in [rule for group in groups for rule in group["rules"]]:
        for text, other in replaced.get(rule["alert"], ()):
            rule["expr"] = rule["expr"].replace(text, other)
        rule["expr"] = re.sub(r"\[\d+m\]", "[15s]", rule["expr"])
        if "for" in rule:
            rule["for"] = "1s"
    target.write_text(yaml.safe_dump({"groups": groups}))
    return target


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One span as it was exported."""

    trace: str
    number: str
    parent: str
    service: str
    name: str
    start_ns: int
    end_ns: int


@dataclass(slots=True)
class Receiver:
    """An OTLP/HTTP endpoint that keeps what it is sent, on a thread of its own."""

    spans: list[Span] = field(default_factory=list)
    endpoint: str = ""

    async def take(self, request: web.Request) -> web.Response:
        message = ExportTraceServiceRequest.FromString(await request.read())
        for resource in message.resource_spans:
            named = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [
                    Span(
                        trace=span.trace_id.hex(), number=span.span_id.hex(), parent=span.parent_span_id.hex(),
                        service=named["service.name"], name=span.name, start_ns=span.start_time_unix_nano,
                        end_ns=span.end_time_unix_nano,
                    )
                    for span in scope.spans
                ]  # fmt: skip
        return web.Response(body=b"", content_type="application/x-protobuf")

    def traces(self) -> dict[str, list[Span]]:
        """Return the spans by trace, each in order of their beginnings."""
        found: dict[str, list[Span]] = {}
        for span in sorted(self.spans, key=lambda span: span.start_ns):
            found.setdefault(span.trace, []).append(span)
        return found


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Listen on loopback while the block runs."""
    kept, loop = Receiver(), asyncio.new_event_loop()

    async def listen() -> web.AppRunner:
        application = web.Application(client_max_size=64 * 1024 * 1024)
        application.router.add_post("/v1/traces", kept.take)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        kept.endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/traces"
        return runner

    runner = loop.run_until_complete(listen())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def tree(spans: Sequence[Span]) -> str:
    """Draw a trace: each span below the one that it is part of, with its beginning and its length."""
    began = spans[0].start_ns
    known = {span.number for span in spans}
    lines: list[str] = []

    def draw(parent: str, depth: int) -> None:
        for span in spans:
            if span.parent == parent or (not depth and span.parent not in known):
                at, took = (span.start_ns - began) / 1e6, (span.end_ns - span.start_ns) / 1e6
                lines.append(f"{at:9.2f} ms {took:8.2f} ms  {'  ' * depth}{span.service}: {span.name}")
                draw(span.number, depth + 1)

    draw("", 0)
    return "\n".join(lines)
