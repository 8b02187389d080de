"""What passes the last hop, and what never does."""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import aiohttp
import pytest
from coinbase.rest import RESTClient
from typing_extensions import override

from gpt_trader.contracts.intents import Purpose
from gpt_trader.risk_gate.adapters.budget import BudgetTerms
from gpt_trader.risk_gate.adapters.jwt import Tokens
from gpt_trader.risk_gate.adapters.tls import client_context
from gpt_trader.risk_gate.domain.permits import PermitOutcome, PermitRefused

ORDERS = "/api/v3/brokerage/orders"
JSON_TYPE = {"Content-Type": "application/json"}
BATCH_CANCEL = f"{ORDERS}/batch_cancel"
Body = Callable[..., bytes]


def refusal(answer: tuple[int, Any]) -> tuple[int, str, str]:
    return answer[0], answer[1]["error"], answer[1]["error_details"]


async def venue_has(sim: Any, body: bytes) -> bool:
    wanted = json.loads(body)["client_order_id"]
    return wanted in {order["client_order_id"] for order in await sim.orders()}


async def test_an_unapproved_body_never_leaves(hop: Any, sim: Any, an_order_body: Body) -> None:
    body = an_order_body()

    answer = await hop.post(body)

    assert refusal(answer) == (403, "PERMIT_REFUSED", "no_matching_approval")
    assert not await venue_has(sim, body)


async def test_an_approved_body_becomes_exactly_one_order(hop: Any, sim: Any, an_order_body: Body) -> None:
    body = hop.permits.approve(an_order_body())

    first = await hop.post(body, **{"X-Origin-Ns": "1700000000000000000"})
    second = await hop.post(body)

    assert first[0] == 200
    assert first[1]["success"] is True
    assert refusal(second) == (403, "PERMIT_REFUSED", "permit_already_issued")
    assert await venue_has(sim, body)
    assert hop.permits.outcomes == [PermitOutcome.ANSWERED]
    assert hop.permits.origins == [1700000000000000000]


async def test_an_order_that_overtakes_the_buss_word_on_its_approval_waits_for_it(
    hop: Any, sim: Any, an_order_body: Body
) -> None:
    body, late = hop.permits.approve(an_order_body()), hop.permits.approve(an_order_body())
    hop.permits.not_stored |= {sha256(body).hexdigest(), sha256(late).hexdigest()}

    asked = asyncio.create_task(hop.post(body))
    await asyncio.sleep(0.1)
    assert not await venue_has(sim, body)
    hop.permits.not_stored.remove(sha256(body).hexdigest())

    assert (await asked)[0] == 200
    assert refusal(await hop.post(late)) == (403, "PERMIT_REFUSED", "no_matching_approval")
    assert not await venue_has(sim, late)


async def test_one_changed_byte_is_another_body(hop: Any, an_order_body: Body) -> None:
    body = hop.permits.approve(an_order_body(quantity="0.01"))

    answers = [
        await hop.post(body.replace(b'"0.01"', b'"9.01"')),
        await hop.post(body + b" "),
        await hop.post(body.replace(b": ", b":", 1)),
    ]

    assert {refusal(answer)[2] for answer in answers} == {"no_matching_approval"}
    assert hop.permits.issued == []


async def test_an_expired_approval_opens_nothing(hop: Any, an_order_body: Body) -> None:
    body = hop.permits.approve(an_order_body())
    hop.permits.expired |= set(hop.permits.approved)

    assert refusal(await hop.post(body)) == (403, "PERMIT_REFUSED", "expired")


async def test_a_gate_held_up_between_permit_and_request_gives_the_venue_no_token_that_lives_longer(
    open_hop: Any, sim: Any, tokens: Tokens, an_order_body: Body
) -> None:
    async with open_hop(tokens=replace(tokens, life=timedelta(seconds=1))) as hop:
        hop.permits.held_up = timedelta(seconds=1.1)
        body = hop.permits.approve(an_order_body())

        async with hop.client.post(f"https://{hop.address}{ORDERS}", data=body, headers=JSON_TYPE) as response:
            status = response.status

    assert status == 401
    assert not await venue_has(sim, body)


async def test_a_refusal_of_the_venue_comes_back_unchanged(hop: Any, an_order_body: Body) -> None:
    refused = hop.permits.approve(an_order_body(quantity="0.0000000001"))
    malformed = hop.permits.approve(b'{"max_floor": 1}')

    status, answer = await hop.post(refused)
    status_of_malformed, _ = await hop.post(malformed)

    assert (status, answer["success"]) == (200, False)
    assert status_of_malformed == 400
    assert hop.permits.outcomes == [PermitOutcome.ANSWERED] * 2


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"{ORDERS}/edit"),
        ("POST", f"{ORDERS}/preview"),
        ("POST", f"{ORDERS}/close_position"),
        ("POST", "/api/v3/brokerage/portfolios/move_funds"),
        ("POST", "/api/v3/brokerage/convert/quote"),
        ("PUT", ORDERS),
        ("DELETE", f"{ORDERS}/historical/batch"),
        ("GET", ORDERS),
        ("GET", "/api/v3/brokerage/payment_methods"),
        ("GET", "/v2/accounts"),
        ("GET", "/"),
        ("HEAD", "/api/v3/brokerage/time"),
        ("OPTIONS", "/api/v3/brokerage/time"),
    ],
)
async def test_what_is_not_listed_is_refused(hop: Any, method: str, path: str) -> None:
    async with hop.client.request(
        method, f"https://{hop.address}{path}", data=b"{}", headers={"Content-Type": "application/json"}
    ) as response:
        assert response.status == 403


REQUEST = b"%b HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%b\r\n\r\n%b"


@pytest.mark.parametrize(
    ("line", "headers", "body"),
    [
        (b"POST /api/v3/brokerage/../brokerage/orders", b"Content-Length: %d", None),
        (b"POST /api/v3/brokerage//orders", b"Content-Length: %d", None),
        (b"POST /api/v3/brokerage/orders/", b"Content-Length: %d", None),
        (b"POST /api/v3/brokerage/%6frders", b"Content-Length: %d", None),
        (b"POST /api/v3/brokerage/orders%2fedit", b"Content-Length: %d", None),
        (b"POST /api/v3/brokerage/orders?x=1", b"Content-Length: %d", None),
        (b"POST /api/v3/brokerage/orders?", b"Content-Length: %d", None),
        (b"POST /api/v3/brokerage/orders;x=1", b"Content-Length: %d", None),
        (b"POST https://api.coinbase.com/api/v3/brokerage/orders", b"Content-Length: %d", None),
        (b"POST /api/v3/brokerage/orders", b"X-HTTP-Method-Override: PUT\r\nContent-Length: %d", None),
        (b"POST /api/v3/brokerage/orders", b"Content-Encoding: gzip\r\nContent-Length: %d", None),
        (b"POST /api/v3/brokerage/orders", b"Content-Type: text/plain\r\nContent-Length: %d", None),
        (b"POST /api/v3/brokerage/orders", b"Content-Length: %d\r\nContent-Length: 7", None),
        (b"POST /api/v3/brokerage/orders", b"Content-Length: %d\r\nTransfer-Encoding: chunked", None),
        (b"POST /api/v3/brokerage/orders", b"Transfer-Encoding: chunked", b"2\r\n{}\r\n0\r\n\r\n"),
        (b"POST /api/v3/brokerage/orders", b"Content-Length: 65537", b" " * 65537),
        (b"GET /api/v3/brokerage/products/BTC-USD/../../orders", b"X: y", b""),
        (b"GET /api/v3/brokerage/accounts?a=%00", b"X-HTTP-Method: POST", b""),
    ],
)
async def test_a_request_that_could_be_read_in_two_ways_is_refused(
    hop: Any, an_order_body: Body, line: bytes, headers: bytes, body: bytes | None
) -> None:
    approved = hop.permits.approve(an_order_body())
    sent = approved if body is None else body
    framing = headers % len(sent) if b"%d" in headers else headers
    reader, writer = await asyncio.open_connection("127.0.0.1", hop.port, ssl=client_context(hop.ca))

    writer.write(REQUEST % (line, framing, sent))
    status = (await reader.readline()).split()[1]
    writer.close()

    assert status in {b"403", b"400"}
    assert hop.permits.issued == []


async def test_reads_pass_with_their_query_and_limits(hop: Any) -> None:
    accounts = await hop.get("/api/v3/brokerage/accounts?limit=1")
    listing = await hop.get(f"{ORDERS}/historical/batch?order_status=OPEN&start_date=2020-01-01T00%3A00%3A00Z")
    book = await hop.get("/api/v3/brokerage/product_book?product_id=BTC-USD&limit=1")
    missing = await hop.get("/api/v3/brokerage/orders/historical/00000000-0000-0000-0000-000000000000")

    assert (accounts[0], len(accounts[1]["accounts"])) == (200, 1)
    assert listing[0] == 200
    assert book[1]["pricebook"]["product_id"] == "BTC-USD"
    assert missing[0] == 404


async def test_cancels_pass_without_an_approval(hop: Any, an_order_body: Body) -> None:
    _, created = await hop.post(hop.permits.approve(an_order_body()))
    order_id = created["success_response"]["order_id"]

    status, answer = await hop.post(json.dumps({"order_ids": [order_id]}).encode(), BATCH_CANCEL)

    assert status == 200
    assert answer["results"][0]["success"] is True


async def test_a_fenced_gate_lets_nothing_through(hop: Any) -> None:
    hop.permits.is_fenced = True

    cancel = await hop.post(b'{"order_ids": ["x"]}', BATCH_CANCEL)
    read = await hop.get("/api/v3/brokerage/accounts")

    assert refusal(cancel) == refusal(read) == (403, "PERMIT_REFUSED", "epoch")


@pytest.mark.parametrize("fault", ["http_500_before_accept", "http_500_after_accept", "drop_connection_after_accept"])
async def test_a_create_without_an_answer_has_an_unknown_outcome(
    hop: Any, sim: Any, an_order_body: Body, fault: str
) -> None:
    await sim.arm(fault, match=f"POST {ORDERS}")
    body = hop.permits.approve(an_order_body())

    status, answer = await hop.post(body)

    assert (status, answer["error"]) == (504, "OUTCOME_UNKNOWN")
    assert hop.permits.outcomes == [PermitOutcome.UNKNOWN]


async def test_a_silent_venue_has_an_unknown_outcome_within_the_bound(
    open_hop: Any, sim: Any, an_order_body: Body
) -> None:
    async with open_hop(answer_within=timedelta(milliseconds=300)) as hop:
        await sim.arm("slow_ms", match=f"POST {ORDERS}", value=1500)

        status, answer = await hop.post(hop.permits.approve(an_order_body()))

        assert (status, answer["error"]) == (504, "OUTCOME_UNKNOWN")
        assert hop.permits.outcomes == [PermitOutcome.UNKNOWN]


async def test_an_unreachable_venue_is_told_as_such(open_hop: Any, free_port: Any, an_order_body: Body) -> None:
    async with open_hop(host=f"127.0.0.1:{free_port()}") as hop:
        created = await hop.post(hop.permits.approve(an_order_body()))
        read = await hop.get("/api/v3/brokerage/accounts")

        assert (created[0], created[1]["error"]) == (504, "OUTCOME_UNKNOWN")
        assert (read[0], read[1]["error"]) == (504, "VENUE_UNAVAILABLE")


async def test_the_end_of_a_create_is_reported_although_the_executor_died(
    hop: Any, sim: Any, an_order_body: Body, until: Callable[[Callable[[], bool]], Awaitable[None]]
) -> None:
    await sim.arm("slow_ms", match=f"POST {ORDERS}", value=2000)
    body = hop.permits.approve(an_order_body())
    reader, writer = await asyncio.open_connection("127.0.0.1", hop.port, ssl=client_context(hop.ca))
    writer.write(REQUEST % (b"POST /api/v3/brokerage/orders", b"Content-Length: %d" % len(body), body))
    await until(lambda: hop.permits.in_flight == 1)

    writer.transport.abort()
    await until(lambda: hop.permits.in_flight == 0)

    assert hop.permits.outcomes == [PermitOutcome.ANSWERED]
    assert await venue_has(sim, body)
    assert reader is not None


async def test_a_body_that_never_arrives_asks_for_nothing(hop: Any, an_order_body: Body) -> None:
    body = hop.permits.approve(an_order_body())
    _, writer = await asyncio.open_connection("127.0.0.1", hop.port, ssl=client_context(hop.ca))
    writer.write(REQUEST % (b"POST /api/v3/brokerage/orders", b"Content-Length: %d" % (len(body) + 1), body))
    await asyncio.sleep(0.1)

    writer.transport.abort()
    answer = await hop.post(body)

    assert answer[0] == 200
    assert len(hop.permits.issued) == 1


class BrokenJournal(Exception):
    pass


async def test_a_permit_that_cannot_be_written_down_ends_the_egress(open_hop: Any, an_order_body: Body) -> None:
    def ask(_sha256: str, _origin_ns: int | None) -> PermitRefused:
        raise BrokenJournal

    async def serve() -> None:
        async with open_hop() as hop:
            hop.permits.ask = ask
            await hop.post(an_order_body())
            await asyncio.sleep(5)

    with pytest.raises(ExceptionGroup) as ended:
        await serve()

    assert ended.group_contains(BrokenJournal)


async def test_a_stopping_egress_waits_for_what_has_left(
    open_hop: Any, sim: Any, an_order_body: Body, until: Callable[[Callable[[], bool]], Awaitable[None]]
) -> None:
    await sim.arm("slow_ms", match=f"POST {ORDERS}", value=2000)

    async with open_hop() as hop:
        permits, body = hop.permits, hop.permits.approve(an_order_body())
        _, writer = await asyncio.open_connection("127.0.0.1", hop.port, ssl=client_context(hop.ca))
        writer.write(REQUEST % (b"POST /api/v3/brokerage/orders", b"Content-Length: %d" % len(body), body))
        await until(lambda: permits.in_flight == 1)

    assert permits.outcomes == [PermitOutcome.ANSWERED]
    writer.close()


async def test_cancels_and_exits_flow_while_entries_flood(open_hop: Any, an_order_body: Body) -> None:
    async with open_hop(budget=BudgetTerms(per_second=1, burst=10, entry_reserve=0.2)) as hop:
        entries = [hop.permits.approve(an_order_body()) for _ in range(30)]
        flood = [await hop.post(body) for body in entries]
        last_exit = await hop.post(hop.permits.approve(an_order_body(side="SELL"), Purpose.EXIT))
        cancel = await hop.post(b'{"order_ids": ["x"]}', BATCH_CANCEL)
        read = await hop.get("/api/v3/brokerage/accounts")

        accepted = [status for status, _ in flood if status == 200]
        refused = {refusal(answer) for answer in flood if answer[0] != 200}
        assert 8 <= len(accepted) <= 9
        assert refused == {(403, "PERMIT_REFUSED", "rate_budget")}
        assert len(hop.permits.forgone) == len(entries) - len(accepted)
        assert len(hop.permits.issued) == len(accepted) + 1
        assert (last_exit[0], cancel[0], read[0]) == (200, 200, 429)


async def test_after_a_429_of_the_venue_reads_pause_and_cancels_do_not(open_hop: Any, sim: Any) -> None:
    async with open_hop(budget=BudgetTerms(per_second=30, burst=30)) as hop:
        await sim.arm("http_429", match="GET /api/v3/brokerage/accounts")

        first = await hop.get("/api/v3/brokerage/accounts")
        second = await hop.get("/api/v3/brokerage/accounts")
        cancel = await hop.post(b'{"order_ids": ["x"]}', BATCH_CANCEL)

        assert (first[0], second[0], cancel[0]) == (429, 429, 200)
        assert second[1]["error"] == "RATE_BUDGET"


class KeylessClient(RESTClient):
    """The official client as the executor uses it: no key, no token."""

    def __init__(self, address: str, ca: str) -> None:
        super().__init__(base_url=address, timeout=5)
        self.is_authenticated = True
        self.session.trust_env = False
        self.session.verify = ca

    @override
    def set_headers(self, method: str, path: str, public: bool = False) -> dict[str, str]:
        return {"Content-Type": "application/json", "User-Agent": "executor"}


async def test_the_official_sdk_trades_through_the_hop_without_a_key(hop: Any, an_order_body: Body) -> None:
    body = hop.permits.approve(an_order_body())
    client = KeylessClient(hop.address, str(hop.ca))

    created = await asyncio.to_thread(client.post, ORDERS, data=json.loads(body))
    accounts = await asyncio.to_thread(client.get_accounts)
    orders = await asyncio.to_thread(client.list_orders, order_status=["OPEN"])
    canceled = await asyncio.to_thread(client.cancel_orders, [created["success_response"]["order_id"]])
    client.session.close()

    assert created["success"] is True
    assert accounts.accounts
    assert orders.orders
    assert canceled.results[0].success


async def test_a_client_that_does_not_trust_our_authority_gets_nowhere(hop: Any) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=ssl.create_default_context())) as stranger:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await stranger.get(f"https://{hop.address}/api/v3/brokerage/time")
