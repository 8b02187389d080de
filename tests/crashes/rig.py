"""One system that dies again and again, and how a cell of the matrix is run on it."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import orjson
from cells import ABSENT, BUS, CELLS, EXECUTOR, GATE, Cell
from crash_points import Trap
from crashing import CrashingNurseries, CrashingNursery
from nats.aio.client import Client
from stand import BTC, ETH, LTC, SOL, TERMS, Stand, close_stand, failed, is_approved, open_stand, until
from witness import Streams, Witness

from gpt_trader.contracts.message import canonical
from gpt_trader.contracts.signals import Action, Signal
from gpt_trader.contracts.subjects import DURABLES, Zone
from gpt_trader.runtime.infrastructure.provision import durable_config

PRODUCTS = (BTC, ETH, SOL, LTC)
CRASHING = replace(
    TERMS,
    tiers=dict.fromkeys(PRODUCTS, "T1"),
    ticks_per_second=10,
    settings={
        GATE: {"token_seconds": 3, "listed_seconds": 1},
        EXECUTOR: {
            "token_life_seconds": 3, "clock_bound_seconds": 0, "visibility_seconds": 0, "resolve_seconds": 1,
            "request_timeout_seconds": 6,
        },
    },
)  # fmt: skip
"""Everything is decided within seconds: what waits for 15 s, 2 s and 30 s in production waits for 3 s, 0 and 0."""
POLICY = {"approvals": {"expiry_seconds": 3}}
AGAIN = timedelta(seconds=1)
"""After this the bus delivers again what a dead process did not acknowledge; 30 s in production."""
REACHED_WITHIN = 20.0
ASKED_AT_MOST = 5


@dataclass(slots=True)
class Rig:
    """A stand whose services die where the trap is set."""

    stand: Stand
    trap: Trap
    witness: Witness
    _endings: dict[str, str] = field(default_factory=dict)

    def run(self, cell: Cell) -> str:
        """Kill as the cell says, start again, wait until everything agrees, and say how the order ended.

        Cells after which the venue must be listed until no permit can be used any more wait for that together.
        """
        if cell.name not in self._endings:
            self._run_together(batch_of(cell))
        return self._endings[cell.name]

    def _run_together(self, batch: Sequence[Cell]) -> None:
        killed: dict[str, Signal] = {}
        for cell, product in zip(batch, PRODUCTS, strict=False):
            signal = self.kill(cell, product=product)
            if signal is None:
                self._endings[cell.name] = f"never reached: {self._why()}"
            else:
                killed[cell.name] = signal
        for name, signal in killed.items():
            self._endings[name] = self.witness.settled(signal)

    def kill(self, cell: Cell, *also: str, product: str = BTC) -> Signal | None:
        """Ask for an order that kills the cell's victim, and start again; None if its way never led there."""
        victims = [cell.victim, *also]
        signal = self._asked(cell.place, victims, product)
        if signal is None:
            self.trap.clear()
            return None
        for name in victims:
            self.stand.system.children[name].ended()
        self.revive()
        return signal

    @contextmanager
    def without(self, name: str, protection: str) -> Iterator[None]:
        """Run a service that lacks a protection."""
        service, nurseries = f"gpt_trader.{name}", self.stand.system.nurseries
        assert nurseries is not None
        whole = nurseries.of(service)
        nurseries.opened[service] = CrashingNursery(service, self.trap, (protection,))
        self.stand.restart(name)
        try:
            yield
        finally:
            self.stand.kill9(name)
            nurseries.opened[service].close()
            nurseries.opened[service] = whole
            self.stand.start(name)

    def _asked(self, place: str, victims: Sequence[str], product: str) -> Signal | None:
        """Ask until somebody died of it; one that is denied, for the system is still coming back, is asked again.

        So is one that met a service which was still to end of the death before.
        """
        children = self.stand.system.children
        for _ in range(ASKED_AT_MOST):
            until(partial(self._is_calm, self.stand.clock.now()), "a calm system")
            self.stand.every_market_heard()
            self.trap.set(place, [children[name].pid for name in victims])
            signal = self.stand.ask(Action.EXIT if self.stand.position(product) else Action.ENTER, product)
            with suppress(AssertionError):
                until(partial(self._is_over, signal), "a death, or a denial", REACHED_WITHIN)
            if not self.trap.is_set():
                return signal
            is_refused = self.witness.ending(signal).startswith("failed: ")
            if not (self._was_denied(signal) or is_refused) and all(child.is_alive for child in children.values()):
                return None
        return None

    def _is_over(self, signal: Signal) -> bool:
        """Whether somebody died, or the signal was denied."""
        return not self.trap.is_set() or self._was_denied(signal)

    def _was_denied(self, signal: Signal) -> bool:
        """Whether all that was said of it is no: what is approved and comes again is denied then."""
        said = [one for one in self.stand.seen.decisions if one.signal.signal_id == signal.signal_id]
        return bool(said) and not any(map(is_approved, said))

    def _is_calm(self, since: datetime) -> bool:
        self.stand.revive()
        return self.stand.is_calm(since)

    def _why(self) -> str:
        last = self.stand.seen.decisions[-1]
        return f"{last.verdict} {sorted(failed(last))}"

    def quiet(self) -> None:
        """Wait until the orders of before are over, when their deaths did not happen."""
        until(self.witness.is_quiet, "the end of every order", REACHED_WITHIN)

    def revive(self) -> None:
        """Start what has ended, as a supervisor would: the bus first, then who could not do without it."""
        if not self.stand.system.children[BUS].is_alive:
            self.stand.start(BUS)
            hands = (Zone.OPERATOR, Zone.STRATEGY)
            until(lambda: all(self.stand.hands.bus(zone).is_connected for zone in hands), "the bus")
            with suppress(subprocess.TimeoutExpired):  # who was deciding ends; who was not goes on
                self.stand.system.children[GATE].ended(0.5)
        self.stand.revive()


def batch_of(cell: Cell) -> Sequence[Cell]:
    """Return the cell with its neighbours, if they end as it does after a wait; else the cell alone."""
    slow = [one for one in CELLS if one.endings <= {ABSENT}]
    if cell not in slow:
        return (cell,)
    first = slow.index(cell) // len(PRODUCTS) * len(PRODUCTS)
    return slow[first : first + len(PRODUCTS)]


def open_rig(folder: Path, without: tuple[str, ...] = ()) -> Rig:
    """Start a system at a venue without idempotency; `without` names protections that it lacks."""
    trap = Trap(folder / "trap")
    nurseries = CrashingNurseries(trap, without)
    try:
        stand = open_stand(folder, CRASHING, nurseries)
    except BaseException:
        nurseries.close()
        raise
    _deliver_again_soon(stand)
    stand.calm(POLICY)
    stand.fault("no_idempotency", times=-1)
    return Rig(stand, trap, Witness(stand, Streams(stand)))


def close_rig(rig: Rig) -> None:
    """End everything."""
    nurseries = rig.stand.system.nurseries
    close_stand(rig.stand)
    if nurseries is not None:
        nurseries.close()


def _deliver_again_soon(stand: Stand) -> None:
    async def work() -> None:
        client, seed = Client(), stand.system.folder.of("provisioner") / "provisioner.nk"
        await client.connect(stand.system.nats_url, nkeys_seed_str=seed.read_text(), inbox_prefix="_INBOX_provisioner")
        for durable in DURABLES:
            config = durable_config(replace(durable, ack_wait=AGAIN))
            api = f"$JS.API.CONSUMER.DURABLE.CREATE.{durable.stream}.{durable.name}"
            answer = await client.request(api, canonical({"stream_name": durable.stream, "config": config}))
            assert "error" not in orjson.loads(answer.data), answer.data
        await client.close()

    stand.hands.run(work())
