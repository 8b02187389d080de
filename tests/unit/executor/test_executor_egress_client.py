"""The official client sends exactly the approved bytes, once, to the egress only, and nothing secret with them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter
from typing_extensions import override

from gpt_trader.executor.adapters.egress_client import EgressClient
from gpt_trader.runtime import tracing

PATH = "/api/v3/brokerage/orders"


class Wiretap(HTTPAdapter):
    """Keeps what would go over the wire and answers with an empty object."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[requests.PreparedRequest, dict[str, Any]]] = []

    @override
    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        self.sent.append((request, options))
        response = requests.Response()
        response.status_code = 200
        response._content = b"{}"
        return response


@pytest.fixture
def wire() -> Iterator[tuple[EgressClient, Wiretap]]:
    client = EgressClient("127.0.0.1:8443", Path("/run/ca.pem"), 10)
    tap = Wiretap()
    client.session.mount("https://", tap)
    yield client, tap
    client.session.close()
    tracing.adopt({})


AMOUNTS = st.decimals("0.00000001", "99999999", places=8).map(lambda amount: format(amount, "f"))


@given(size=AMOUNTS, price=AMOUNTS, note=st.text(max_size=20))
def test_the_bytes_on_the_wire_are_the_approved_ones(size: str, price: str, note: str) -> None:
    client, tap = EgressClient("127.0.0.1:8443", Path("/run/ca.pem"), 10), Wiretap()
    client.session.mount("https://", tap)
    body = json.dumps(
        {
            "client_order_id": "6fa459ea-ee8a-3ca4-894e-db77e160355e",
            "product_id": "BTC-USD",
            "side": "BUY",
            "note": note,
            "order_configuration": {"limit_limit_gtd": {"base_size": size, "limit_price": price, "post_only": True}},
        }
    )
    assert Decimal(size) > 0

    client.post(PATH, data=json.loads(body))

    request, _ = tap.sent[0]
    assert request.body == body.encode()
    assert request.url == f"https://127.0.0.1:8443{PATH}"
    client.session.close()


@dataclass(slots=True)
class FakeSocket:
    """Takes what is written."""

    written: list[bytes] = field(default_factory=list)

    def sendall(self, data: bytes) -> None:
        self.written.append(data)

    def settimeout(self, _seconds: float) -> None: ...

    def close(self) -> None: ...


def test_head_and_body_of_a_request_leave_with_one_write() -> None:
    client = EgressClient("127.0.0.1:8443", Path("/run/ca.pem"), 10)
    adapter = client.session.get_adapter("https://127.0.0.1:8443")
    assert isinstance(adapter, HTTPAdapter)
    pool = adapter.poolmanager.connection_from_url("https://127.0.0.1:8443")
    connection, socket = pool.ConnectionCls("127.0.0.1"), FakeSocket()
    connection.sock = cast("Any", socket)

    connection.request("POST", PATH, body=b'{"a": 1}', headers={"X-Origin-Ns": "1"})

    assert len(socket.written) == 1
    assert socket.written[0].startswith(b"POST /api/v3/brokerage/orders HTTP/1.1\r\n")
    assert socket.written[0].endswith(b'\r\n\r\n{"a": 1}')
    connection.close()
    client.session.close()


def test_no_token_proxy_or_netrc_is_used_and_every_request_has_a_timeout(
    wire: tuple[EgressClient, Wiretap], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    client, tap = wire
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "netrc"))

    client.post(PATH, data={"a": "b"})
    client.get(f"{PATH}/historical/batch", params={"limit": 250})

    for request, options in tap.sent:
        assert "Authorization" not in request.headers
        assert options["timeout"] == 10
        assert options["verify"] == "/run/ca.pem"
        assert not options["proxies"]


def test_an_order_tells_when_its_tick_was_seen_and_a_read_does_not(wire: tuple[EgressClient, Wiretap]) -> None:
    client, tap = wire
    tracing.origin(1793620800000000001, "tick")

    client.post(PATH, data={"a": "b"})
    client.get(f"{PATH}/historical/batch")

    headers = [request.headers for request, _ in tap.sent]
    assert headers[0]["X-Origin-Ns"] == "1793620800000000001"
    assert "X-Origin-Ns" not in headers[1]


def test_an_order_tells_its_trace_and_nothing_else_of_its_chain(wire: tuple[EgressClient, Wiretap]) -> None:
    client, tap = wire
    tracing.adopt({"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Decision-Id": "d-1"})

    client.post(PATH, data={"a": "b"})

    headers = tap.sent[0][0].headers
    assert headers["traceparent"] == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert "d-1" not in headers.values()
