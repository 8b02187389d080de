"""Makes the faults of a schedule happen, and ends them."""

import contextlib
import shutil
import signal as signals
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from people import Operator
from relay import Weather
from schedule import Planned
from system import GATE
from world import EXECUTOR, World

End = Callable[[], object]
TAKES_PART_WITHIN = 15.0


@dataclass(slots=True)
class Faults:
    """Begins each fault; what ends it is kept until its time has come."""

    world: World
    operator: Operator
    problems: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    cold_starts: int = 0

    def begin(self, fault: Planned) -> End:
        """Make a fault happen and return what ends it."""
        named: dict[str, Callable[[Planned], End]] = {
            "kill9": self._kill9,
            "freeze": self._freeze,
            "restart": self._restart,
            "flush": self._flush,
            "full-disk": self._full_disk,
            "slow-disk": self._slow_disk,
            "second-gate": self._second_gate,
            "take-over": self._take_over,
            "second-executor": self._second_executor,
            "delays": self._delays,
            "kill": self._kill,
            "flatten": self._flatten,
            "pause": self._pause,
        }
        if fault.kind in set(Weather):
            return self._weather(fault)
        return named.get(fault.kind, self._venue)(fault)

    # --- processes

    def _kill9(self, fault: Planned) -> End:
        child = self.world.stand.system.children[fault.target]
        self.world.held.add(fault.target)
        child.send(signals.SIGKILL)
        return lambda: self.world.held.discard(fault.target)

    def _freeze(self, fault: Planned) -> End:
        child = self.world.stand.system.children[fault.target]
        child.send(signals.SIGSTOP)
        return lambda: child.send(signals.SIGCONT) if child.is_alive else None

    def _restart(self, fault: Planned) -> End:
        child = self.world.stand.system.children[fault.target]
        self.world.held.add(fault.target)
        child.send(signals.SIGCONT)
        child.send(signals.SIGTERM)

        def end() -> None:
            child.stop()
            self.world.held.discard(fault.target)

        return end

    def _flush(self, _: Planned) -> End:
        with contextlib.suppress(OSError):  # it is not running at the moment
            self.world.flush_store()
        return lambda: None

    # --- disks

    def _full_disk(self, fault: Planned) -> End:
        disk, child = self.world.small[fault.target], self.world.stand.system.children[fault.target]
        if disk.is_mounted or child.is_alive:
            disk.fill(child.pid)
        return disk.clear

    def _slow_disk(self, fault: Planned) -> End:
        disk = self.world.slow.get(fault.target)
        if disk is None:
            self.skipped.append(f"{fault.kind}: no C compiler here")
            return lambda: None
        disk.be(fault.value)
        return lambda: disk.be(0)

    # --- network

    def _weather(self, fault: Planned) -> End:
        network = self.world.network
        network.turn(fault.target, Weather(fault.kind), fault.value / 1000, fault.value)
        return lambda: network.turn(fault.target, Weather.CLEAR)

    # --- two of a kind

    def _second_gate(self, _: Planned) -> End:
        """Start another gate on the same journal: it must be refused, whatever the first one does."""
        profile = self.world.profile_of_another(GATE, egress_port=0)
        gate = self.world.stand.system.children[GATE]
        first = gate.pid
        other = self.world.start_another(GATE, profile)

        def end() -> None:
            has_begun = "epoch_claimed" in self.world.log_of_another(GATE, other)
            if has_begun and gate.is_alive and gate.pid == first:
                self.problems.append("a second gate began on the journal of the first")
            _stop(other)

        return end

    def _take_over(self, _: Planned) -> End:
        """Freeze the gate, let another one go on from a copy of its disk, thaw: the first must find itself fenced.

        Then the copy is the gate's disk, as when a volume moves with its pod.
        """
        world = self.world
        gate, disk = world.stand.system.children[GATE], world.small[GATE].folder
        world.held.add(GATE)
        gate.send(signals.SIGSTOP)
        copy = world.folder / f"copy-{len(world.others)}"
        shutil.copytree(disk, copy)
        profile = world.profile_of_another(GATE, egress_port=0, journal_dir=str(copy))
        other = world.start_another(GATE, profile)

        def end() -> None:
            is_heir = b'"epoch"' in _written(copy, disk)
            gate.send(signals.SIGCONT)
            if is_heir:
                self._fenced(gate)
            _stop(other)
            if is_heir:
                gate.stop()
                shutil.copytree(disk, world.folder / f"fenced-{len(world.others)}")
                _moved(copy, disk)
            world.held.discard(GATE)

        return end

    def _fenced(self, gate: Any) -> None:
        try:
            code = gate.ended(15)
        except subprocess.TimeoutExpired:
            self.problems.append("a gate went on for 15 s after another one had claimed its epoch")
            return
        self.world.notes.append(f"{self.world.at:.0f} s: the gate that was taken over ended with code {code}")

    def _second_executor(self, fault: Planned) -> End:
        """Start another executor, without a journal, beside the first; on a slow machine wait until it takes part."""
        world = self.world
        folder = world.folder / f"other-executor-{len(world.others)}"
        profile = world.profile_of_another(EXECUTOR, journal_dir=str(folder))
        other = world.start_another(EXECUTOR, profile)

        def end() -> None:
            deadline = time.monotonic() + TAKES_PART_WITHIN
            while not (takes_part := "reconciled" in world.log_of_another(EXECUTOR, other)):
                if time.monotonic() > deadline or other.poll() is not None:
                    break
                world.supervise()
                time.sleep(0.1)
            self.cold_starts += takes_part
            if not takes_part:
                self.skipped.append(f"{fault.kind}: it was not ready {fault.lasts + TAKES_PART_WITHIN:.0f} s later")
            _stop(other)

        return end

    # --- the venue

    def _venue(self, fault: Planned) -> End:
        stand = self.world.stand
        is_slow = fault.kind == "slow_ms"
        times, value = (-1, fault.value) if is_slow else (fault.value, 0)
        with _frozen_venue():
            stand.fault(fault.kind, match=fault.target, times=times, value=value)

        def end() -> None:
            with _frozen_venue():
                stand.fault(fault.kind, times=0)

        return end

    def _delays(self, fault: Planned) -> End:
        stand = self.world.stand
        with _frozen_venue():
            stand.delays(pending_ms=fault.value, visibility_ms=fault.value, cancel_ms=fault.value)

        def end() -> None:
            with _frozen_venue():
                stand.delays(pending_ms=0, visibility_ms=0, cancel_ms=0)

        return end

    # --- the operator's own commands, in the middle of it all

    def _kill(self, _: Planned) -> End:
        """Kill, and leave it: that nothing reaches the venue meanwhile is judged at the end, by its own times."""
        self.operator.is_patient = True
        self.operator.todo.append("kill")

        def end() -> None:
            self.operator.is_patient = False

        return end

    def _flatten(self, _: Planned) -> End:
        self.operator.todo.append("flatten")
        return lambda: self.operator.todo.append("resume")

    def _pause(self, _: Planned) -> End:
        self.operator.todo.append("pause")
        return lambda: self.operator.todo.append("resume")


@contextlib.contextmanager
def _frozen_venue() -> Iterator[None]:
    """Do without a venue that is frozen and answers nothing: that fault is not had, or ends at the rest."""
    with contextlib.suppress(OSError):
        yield


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _written(copy: Any, disk: Any) -> bytes:
    """Return what was appended to the copy of a journal since it was made."""
    before = (disk / "gate.jsonl").stat().st_size if not (disk / "ballast").exists() else 0
    content = bytes((copy / "gate.jsonl").read_bytes())
    return content[before:] if before else b""


def _moved(copy: Any, disk: Any) -> None:
    for file in disk.iterdir():
        if file.name != "ballast":
            file.unlink()
    for file in copy.iterdir():
        shutil.copy2(file, disk / file.name)
