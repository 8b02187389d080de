"""A kept-alive connection dies just after it took a create: nobody below us may send it a second time."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec

from gpt_trader.console.stack.certificates import make_egress_certificate
from gpt_trader.executor.adapters.egress_client import EgressClient
from gpt_trader.risk_gate.adapters.budget import BudgetTerms, RateBudget
from gpt_trader.risk_gate.adapters.jwt import Tokens
from gpt_trader.risk_gate.adapters.keyfile import ExchangeKey
from gpt_trader.risk_gate.adapters.tls import client_context, server_context
from gpt_trader.risk_gate.adapters.venue_link import LinkTerms, open_link
from gpt_trader.risk_gate.ports import OutcomeUnknown
from gpt_trader.runtime.clock import SystemClock

ORDERS = "/api/v3/brokerage/orders"
TIME = "/api/v3/brokerage/time"


@dataclass
class Treacherous:
    """Answers every GET and keeps the connection; takes a POST whole and hangs up."""

    connections: int = 0
    posts: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
                body = await reader.readexactly(int(lengths[0].split(b":")[1])) if lengths else b""
                if head.startswith(b"POST "):
                    self.posts.append(body)
                    return
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@dataclass(frozen=True)
class Trap:
    server: Treacherous
    host: str
    authority: Path


@asynccontextmanager
async def trap(folder: Path) -> AsyncIterator[Trap]:
    authority = folder / "ca.crt"
    make_egress_certificate(folder, authority, SystemClock().wall())
    treacherous = Treacherous()
    certificate, key = next(folder.glob("egress*.crt")), next(folder.glob("egress*.key"))
    tls: ssl.SSLContext = server_context(certificate, key)
    async with await asyncio.start_server(treacherous.serve, "127.0.0.1", 0, ssl=tls) as listener:
        yield Trap(treacherous, f"127.0.0.1:{listener.sockets[0].getsockname()[1]}", authority)


async def test_the_executors_client_never_repeats_a_create(tmp_path: Path) -> None:
    async with trap(tmp_path) as set_up:

        def order_on_a_used_connection() -> None:
            client = EgressClient(set_up.host, set_up.authority, 5)
            client.get(TIME)
            try:
                with pytest.raises(requests.ConnectionError):
                    client.post(ORDERS, data={"client_order_id": "one"})
            finally:
                client.session.close()

        await asyncio.to_thread(order_on_a_used_connection)

        assert set_up.server.posts == [b'{"client_order_id": "one"}']
        assert set_up.server.connections == 1


async def test_the_gates_link_never_repeats_a_create(tmp_path: Path) -> None:
    async with trap(tmp_path) as set_up:
        key = ExchangeKey(name="test", private=ec.generate_private_key(ec.SECP256R1()), algorithm="ES256")
        tokens = Tokens(key=key, host=set_up.host, life=timedelta(seconds=15), clock=SystemClock())
        budget = RateBudget(terms=BudgetTerms(), elapsed=asyncio.get_running_loop().time)
        second = timedelta(seconds=5)
        terms = LinkTerms(
            host=set_up.host, tls=client_context(set_up.authority), answer_within=second, connect_within=second
        )
        async with open_link(terms, tokens, budget) as link:
            await link.send("GET", TIME)
            with pytest.raises(OutcomeUnknown):
                await link.send("POST", ORDERS, body=b'{"client_order_id": "one"}')

        assert set_up.server.posts == [b'{"client_order_id": "one"}']
        assert set_up.server.connections == 1
