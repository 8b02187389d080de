"""A release on a real cluster, watched through its bus, its venue's books and kubectl."""

import asyncio
import base64
import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from helm_python import Config

from gpt_trader.contracts.message import Message
from gpt_trader.contracts.subjects import Zone
from gpt_trader.runtime.bus import Bus, BusError, connect
from gpt_trader.runtime.secret_files import write_secret

T = TypeVar("T")
M = TypeVar("M", bound=Message)
ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/helm/gpt-trader"
NAME, NAMESPACE = "gpt-trader", "gpt-trader-e2e"
OURS = f"app.kubernetes.io/instance={NAME}"


@dataclass(slots=True, kw_only=True)
class Release:
    """The demo release; `figures` receives what a test measured, in seconds."""

    helm: Config
    folder: Path
    figures: dict[str, float] = field(default_factory=dict)

    def kubectl(self, *words: str) -> str:
        done = subprocess.run(
            ["kubectl", "--namespace", NAMESPACE, *words], capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
        return done.stdout

    def objects(self, kinds: str, *options: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", kinds, "--output", "json", *options))["items"]
        return found

    def pod(self, component: str) -> dict[str, Any]:
        """Return the one live pod of a component."""
        selector = f"{OURS},app.kubernetes.io/component={component}"
        live = [one for one in self.objects("pods", "-l", selector) if "deletionTimestamp" not in one["metadata"]]
        assert len(live) == 1, [one["metadata"]["name"] for one in live]
        return live[0]

    def is_ready(self, component: str, since: str = "") -> bool:
        """Tell whether the component's pod is ready, and is another than the one whose uid is given."""
        selector = f"{OURS},app.kubernetes.io/component={component}"
        pods = [one for one in self.objects("pods", "-l", selector) if "deletionTimestamp" not in one["metadata"]]
        return any(
            one["metadata"]["uid"] != since
            and any(
                condition["type"] == "Ready" and condition["status"] == "True"
                for condition in one["status"].get("conditions", ())
            )
            for one in pods
        )

    def pod_other_than(self, component: str, uid: str) -> bool:
        """Tell whether another pod than that one runs, ready or not."""
        selector = f"{OURS},app.kubernetes.io/component={component}"
        pods = self.objects("pods", "-l", selector)
        return any(one["metadata"]["uid"] != uid and one["status"]["phase"] == "Running" for one in pods)

    def describe(self) -> str:
        """Say what a person would look at first."""
        return self.kubectl("get", "pods", "--output", "wide") + self.kubectl(
            "get", "events", "--sort-by=.lastTimestamp"
        )

    def until(self, what: str, is_so: Callable[[], bool], seconds: float) -> float:
        """Wait, and return how long it took."""
        started = time.monotonic()
        while not is_so():
            waited = time.monotonic() - started
            assert waited < seconds, f"not within {seconds:g} s: {what}\n{self.describe()}"
            time.sleep(0.2)
        return time.monotonic() - started

    @contextmanager
    def forwarded(self, target: str, port: int) -> Iterator[int]:
        """Make a port of the cluster reach this machine's loopback."""
        argv = ["kubectl", "--namespace", NAMESPACE, "port-forward", "--address", "127.0.0.1", target, f":{port}"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            try:
                assert process.stdout is not None
                line = process.stdout.readline()
                found = re.search(r"127\.0\.0\.1:(\d+)", line)
                assert found, line
                yield int(found.group(1))
            finally:
                process.terminate()

    def secret(self, short: str, key: str) -> str:
        content = json.loads(self.kubectl("get", "secret", f"{NAME}-{short}", "--output", "json"))["data"][key]
        return base64.b64decode(content).decode()

    def operator_seed(self) -> Path:
        """Fetch the operator's credential as NOTES.txt says."""
        path = self.folder / "operator.nk"
        write_secret(path, self.secret("bus-operator", "seed"))
        return path

    def as_operator(self, work: Callable[[Bus], Awaitable[T]]) -> T:
        return self.as_zone(Zone.OPERATOR, work)

    def as_zone(self, zone: Zone, work: Callable[[Bus], Awaitable[T]]) -> T:
        """Do something on the bus with a zone's credential, from this machine."""
        seed = self.folder / f"{zone}.nk"
        write_secret(seed, self.secret(f"bus-{zone}", "seed"))

        async def connected(port: int) -> T:
            async with connect(f"nats://127.0.0.1:{port}", seed, zone) as bus:
                return await work(bus)

        with self.forwarded(f"service/{NAME}-nats", 4222) as port:
            return asyncio.run(connected(port))

    def history(self, stream: str, model: type[M], subject: str = ">") -> list[M]:
        async def work(bus: Bus) -> list[M]:
            return [model.decode(received.payload) async for received in bus.history(stream, subject_filter=subject)]

        return self.as_operator(work)

    def last(self, stream: str, subject: str, model: type[M]) -> M | None:
        async def work(bus: Bus) -> M | None:
            received = await bus.last(stream, subject)
            return None if received is None else model.decode(received.payload)

        return self.as_operator(work)

    def has_filled(self) -> bool:
        """Tell whether a first fill is on the bus; false while there is no bus."""

        async def work(bus: Bus) -> bool:
            return await bus.last("FILLS", ">") is not None

        try:
            return self.as_operator(work)
        except (AssertionError, BusError, OSError):
            return False

    def books(self, pod: str | None = None) -> dict[str, Any]:
        """Read a simulated venue's own books through its test hooks, which listen on the pod's loopback."""
        pod = f"pod/{pod or self.pod('exchange-sim')['metadata']['name']}"
        announced = next(line for line in self.kubectl("logs", pod).splitlines() if '"admin"' in line)
        with (
            self.forwarded(pod, int(json.loads(announced)["admin"].rpartition(":")[2])) as port,
            urllib.request.urlopen(f"http://127.0.0.1:{port}/books", timeout=10) as answer,
        ):
            return dict(json.loads(answer.read()))

    def upgrade(self, values: Mapping[str, Any]) -> None:
        self.helm.upgrade(CHART, NAME, dict(values), wait="watcher", timeout=300, reset_values=True)


def accepted_at(books: Mapping[str, Any]) -> dict[str, float]:
    """Return when the venue accepted each order, real time in seconds since 1970."""
    found: dict[str, float] = {}
    for event in books["events"]:
        if "client_order_id" in event:
            found.setdefault(event["client_order_id"], event["accepted_at_ns"] / 1e9)
    return found
