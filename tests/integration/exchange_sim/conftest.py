"""A real venue process, and the official clients pointed at it."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from coinbase.rest import RESTClient
from coinbase.websocket import WSClient


@dataclass(slots=True, kw_only=True)
class Sim:
    """A running venue."""

    process: subprocess.Popen[str]
    rest: str
    ws: str
    ca: str
    key_file: str
    view_key_file: str
    admin: str
    health: str
    http: str = ""
    session: requests.Session = field(default_factory=requests.Session)

    def client(self, key_file: str | None = None, **options: Any) -> RESTClient:
        client = RESTClient(key_file=key_file or self.key_file, base_url=self.rest, timeout=10, **options)
        client.session.verify = self.ca
        return client

    def public(self) -> RESTClient:
        client = RESTClient(base_url=self.rest, timeout=10)
        client.session.verify = self.ca
        return client

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, f"https://{self.rest}{path}", verify=self.ca, timeout=10, **options)

    def get_admin(self, path: str) -> Any:
        reply = self.session.get(self.admin + path, timeout=10)
        reply.raise_for_status()
        return reply.json()

    def post_admin(self, path: str, **body: Any) -> Any:
        reply = self.session.post(self.admin + path, json=body, timeout=10)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def armed(self, kind: str, **terms: Any) -> None:
        self.post_admin("/faults", kind=kind, **terms)

    def fired(self) -> list[dict[str, Any]]:
        return list(self.get_admin("/faults")["fired"])

    def orders(self) -> list[dict[str, Any]]:
        return list(self.get_admin("/books")["orders"])

    def best(self, product_id: str = "BTC-USD") -> tuple[str, str]:
        book = self.client().get_product_book(product_id, limit=1).pricebook
        return book.bids[0].price, book.asks[0].price


def _eventually(probe: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until a probe gives something true."""
    deadline = time.monotonic() + seconds
    while True:
        found = probe()
        if found or time.monotonic() > deadline:
            assert found, "nothing happened in time"
            return found
        time.sleep(0.05)


@contextmanager
def _running(*arguments: str) -> Iterator[Sim]:
    """Run a venue for a while; it must end cleanly."""
    command = [sys.executable, "-m", "gpt_trader.exchange_sim", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        sim = Sim(process=process, **json.loads(process.stdout.readline()))
        try:
            yield sim
        finally:
            sim.session.close()
            process.send_signal(signal.SIGTERM)
            status = process.wait(10)
    assert status == 0


@pytest.fixture(autouse=True)
def _own_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def running() -> Callable[..., AbstractContextManager[Sim]]:
    """Run a venue of other options for a module."""
    return _running


@pytest.fixture(scope="module")
def sim() -> Iterator[Sim]:
    """One lively venue for a module's tests that only add to it; `venue` is the same, made anew."""
    with _running("--private-limit", "0", "--public-limit", "0", "--balances", "USD=1000000,BTC=5") as one:
        yield one


@pytest.fixture
def venue(sim: Sim) -> Sim:
    """Hand over the module's venue as at its start: no order, no fault, the first balances."""
    sim.post_admin("/reset")
    return sim


@pytest.fixture
def start_sim() -> Iterator[Callable[..., Sim]]:
    """Start venues of one's own."""
    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(_running(*arguments))


@dataclass(slots=True)
class Listener:
    """The official WebSocket client with everything it received."""

    client: WSClient
    messages: list[dict[str, Any]]

    def of(self, channel: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message.get("channel") == channel]

    def events(self, channel: str) -> list[dict[str, Any]]:
        return [event for message in self.of(channel) for event in message["events"]]


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    """Connect the official WebSocket client."""
    opened: list[WSClient] = []

    def connect(sim: Sim, *, is_anonymous: bool = False) -> Listener:
        messages: list[dict[str, Any]] = []
        key_file = None if is_anonymous else sim.key_file
        client = WSClient(
            key_file=key_file, base_url=sim.ws, on_message=lambda raw: messages.append(json.loads(raw)), retry=False
        )
        client.open()
        opened.append(client)
        return Listener(client, messages)

    yield connect
    for client in opened:
        client.close()


@pytest.fixture
def key_of() -> Callable[[str], dict[str, str]]:
    """Read a key file."""
    return lambda path: json.loads(Path(path).read_text())


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Wait until a probe gives something true."""
    return _eventually
