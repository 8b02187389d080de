"""One code path, three places to send orders to: a dry run, paper and live decide alike (I10), and only live trades.

A second exchange-sim is the real venue of the dry run and of the paper stand: they read its prices, and their requests
to it are counted there. `live` has a venue of its own, for it sends; all markets are held at the same prices.
"""

import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from nursery import Nurseries
from stand import BTC, ETH, PRICES, SOL, TERMS, Stand, Terms, approved, close_stand, failed, open_stand, until
from system import GATE

from gpt_trader.console.stack.plan import Mode, Ports, RealVenue, choose_ports
from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.orders import OrderEvent, OrderStatus
from gpt_trader.contracts.signals import Signal
from gpt_trader.lab.domain.gate import GateReplay
from gpt_trader.risk_gate.adapters.coinbase_bodies import CoinbaseBodies
from gpt_trader.runtime.journal import read

MODES = ("dry_run", "paper", "live")
TIERS = {BTC: "T1", ETH: "T1", SOL: "T2"}


@dataclass(frozen=True, slots=True)
class Venue:
    """The real venue, as far as a dry run and paper trading can tell."""

    places: dict[str, str]

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        content = None if body is None else orjson.dumps(body)
        with urllib.request.urlopen(urllib.request.Request(self.places["admin"] + path, content), timeout=10) as answer:
            return orjson.loads(answer.read())

    def hold(self, product: str, mid: Decimal) -> None:
        self.ask("/market", {"product_id": product, "mid": str(mid)})

    def requests(self) -> dict[str, int]:
        """Return how many REST requests came, by method."""
        with urllib.request.urlopen(f"{self.places['health']}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        counts: dict[str, int] = {}
        for line in lines:
            if found := re.match(r'exchange_sim_requests_total\{method="(\w+)".*\} (\S+)', line):
                counts[found[1]] = counts.get(found[1], 0) + int(float(found[2]))
        return counts


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    folder = tmp_path_factory.mktemp("real")
    log = folder / "log"
    argv = [sys.executable, "-m", "gpt_trader.exchange_sim", "--state-dir", str(folder), "--products", ",".join(TIERS)]
    with log.open("wb") as sink:
        process = subprocess.Popen([*argv, "--private-limit", "1000", "--public-limit", "1000"], stdout=sink)
    try:
        venue = Venue(orjson.loads(until(lambda: log.read_bytes().strip(), "the venue's announcement")))
        for product in TIERS:
            venue.hold(product, PRICES[product])
        yield venue
    finally:
        process.kill()
        process.wait()


def terms_of(mode: str, real: Venue) -> Terms:
    place = RealVenue(
        rest=real.places["rest"],
        ws=real.places["ws"],
        user_ws=real.places["ws"],
        ca_file=Path(real.places["ca"]),
        key_file=Path(real.places["view_key_file"]),
    )
    own = replace(TERMS, tiers=TIERS, is_real_time=True)
    if mode == "live":
        return replace(own, settings={GATE: {"mode": "live", "confirm_live": "YES"}})
    return replace(own, mode=Mode(mode), venue=place)


def ports_apart(count: int) -> list[Ports]:
    """Choose ports for several stands that start at once."""
    chosen: list[Ports] = []
    with ExitStack() as taken:
        for _ in range(count):
            ports = choose_ports(None)
            own = (ports.nats, ports.nats_monitor, ports.redis, ports.exchange, ports.exchange_admin, ports.egress)
            for port in (*own, ports.exchange_health, *ports.health.values()):
                taken.enter_context(socket.create_server(("127.0.0.1", port)))
            chosen.append(ports)
    return chosen


@pytest.fixture(scope="module")
def stands(real: Venue, nurseries: Nurseries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Stand]]:
    folders = {mode: tmp_path_factory.mktemp(mode) for mode in MODES}
    opened: dict[str, Stand] = {}

    ports = dict(zip(MODES, ports_apart(len(MODES)), strict=True))

    def open_one(mode: str) -> None:
        terms = terms_of(mode, real)
        opened[mode] = open_stand(folders[mode], terms, nurseries, ports[mode], {"profile": "prod"})

    try:
        with ThreadPoolExecutor() as threads:
            list(threads.map(open_one, MODES))
        for product in TIERS:
            opened["live"].price(product, PRICES[product])
        for stand in opened.values():
            stand.trading()
        yield opened
    finally:
        for stand in opened.values():
            close_stand(stand)


@dataclass(frozen=True, slots=True)
class AsRecorded:
    """No strategy is run again here: signals are what they were."""

    def taken(self, signal: Signal, _at: datetime) -> Signal:
        return signal


MAY_DIFFER = tuple(
    re.compile(pattern)
    for pattern in (
        r"(decision_id|intent_id|previous_hash|hash|epoch)",  # chained to what each gate wrote before, times included
        r"(decided_at|signal\.(created_at|expires_at))",  # three systems, asked one after the other
        r"market\.\w+\.(sequence|since|\w+_at)",  # each feed's own numbers and times
        # prints nibble at the touch at each venue, at their own moments: the input that was recorded with the decision
        r"market\.(book|tick)\.(bid_quantity|ask_quantity|last_price|depth\..*)",
        r"market\.spec\.volume_24h_notional|market\.statistics\..*",
        r"checks\.(signal_is_fresh|signal_has_not_expired|mark_is_fresh|book_is_fresh)\.value",  # ages
        r"checks\.(trade_is_near_book|order_is_within_volume|impact_is_small|depth_is_enough)\.(value|limit)",
        r"checks\.(limit_is_within_period_collar|mark_has_not_jumped)\.value",  # from what was seen within a minute
    )
)
"""All in which a decision on the same request in the same market may differ from mode to mode; the mode is in none."""


def test_the_same_requests_are_decided_alike_in_every_mode(stands: dict[str, Stand]) -> None:
    logs = {mode: [flat(one) for one in asked(stand)] for mode, stand in stands.items()}

    assert differing(logs["dry_run"], logs["live"]) == []
    assert differing(logs["paper"], logs["live"]) == []


def asked(stand: Stand) -> list[Decision]:
    """Ask for what is denied for several reasons, then for what is approved: until then nothing was ever filled."""
    decisions = [
        stand.exit(SOL, signal_id="nothing-is-held"),
        stand.enter(ETH, signal_id="from-before", age=timedelta(minutes=10)),
        stand.enter("LTC-USD", signal_id="not-in-the-universe"),
        stand.enter(BTC, signal_id="a-good-one"),
    ]
    assert [bool(failed(one)) for one in decisions] == [True, True, True, False]
    return decisions


def flat(decision: Decision) -> dict[str, Any]:
    """Spell a decision as one value per path."""
    found: dict[str, Any] = {}

    def spell(path: str, value: Any) -> None:
        if isinstance(value, dict | list):
            for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
                name = inner["rule"] if path == "checks" else key
                spell(f"{path}.{name}" if path else str(name), inner)
        elif not any(pattern.fullmatch(path) for pattern in MAY_DIFFER):
            found[path] = value

    spell("", decision.model_dump(mode="json"))
    return found


def differing(ours: list[dict[str, Any]], others: list[dict[str, Any]]) -> list[str]:
    return [
        f"{place} {path}: {one.get(path)} / {other.get(path)}"
        for place, (one, other) in enumerate(zip(ours, others, strict=True))
        for path in sorted(one.keys() | other.keys())
        if one.get(path) != other.get(path)
    ]


@pytest.mark.parametrize("mode", MODES)
def test_one_code_path_that_knows_no_mode_makes_each_log_again_bit_for_bit(stands: dict[str, Stand], mode: str) -> None:
    replay = GateReplay(signals=AsRecorded(), spelling=CoinbaseBodies())
    for entry in read(stands[mode].system.folder.of(GATE) / "journal" / "gate.jsonl"):
        replay.take(entry)

    made_again = replay.compared(())
    assert (made_again.diverged, made_again.first) == (0, None)
    assert made_again.replayed_hash == made_again.recorded_hash
    assert replay.derived >= 4


def test_an_approval_is_refused_its_permit_in_a_dry_run_and_filled_elsewhere(stands: dict[str, Stand]) -> None:
    ends = {mode: ended(stand) for mode, stand in stands.items()}

    assert (ends["dry_run"].status, ends["dry_run"].reason) == (OrderStatus.FAILED, "dry_run")
    assert {ends[mode].status for mode in ("paper", "live")} == {OrderStatus.FILLED}
    assert ends["paper"].average_price == ends["live"].average_price


def ended(stand: Stand) -> OrderEvent:
    def ends() -> list[OrderEvent]:
        return [one for one in stand.history("ORDERS", OrderEvent) if one.status.is_terminal]

    return next(iter(until(ends, "the end of the order")))


def test_the_paper_venue_trades_at_the_prices_of_the_real_one(stands: dict[str, Stand], real: Venue) -> None:
    paper = stands["paper"]

    real.hold(ETH, Decimal(3456))
    until(lambda: abs(paper.seen.ticks[ETH].mid - 3456) < 1, "the new price")
    approved(paper.enter(ETH))
    until(lambda: paper.position(ETH) > 0, "a position")

    (fill,) = [row for row in paper.books()["fills"] if row["product_id"] == ETH]
    assert Decimal(fill["price"]) == paper.seen.ticks[ETH].ask
    assert paper.seen.books[ETH].ask == paper.seen.ticks[ETH].ask


def test_dry_run_and_paper_only_read_at_the_real_venue(stands: dict[str, Stand], real: Venue) -> None:
    body = {"base_size": "0.01", "limit_price": "60000", "post_only": True}
    by_hand = {"client_order_id": "by-hand", "product_id": BTC, "side": "BUY"}
    real.ask("/orders/external", {**by_hand, "order_configuration": {"limit_limit_gtc": body}})

    for mode in ("dry_run", "paper"):
        stands[mode].command("kill")
        stands[mode].until_status(TradingStatus.HALTED)

    (left,) = real.ask("/books")["orders"]
    assert (left["client_order_id"], left["status"]) == ("by-hand", "OPEN"), "a dry run cancels nothing"
    assert real.requests().keys() == {"GET"}, real.requests()
    assert real.requests()["GET"] > 10
