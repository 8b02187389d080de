"""A nursery (tests/scenarios/nursery.py) whose service can be ended at any crash point, or lacks protections.

python crashing.py MODULE TRAP_FILE [PROTECTION...]
"""

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scenarios")]

import crash_points  # noqa: E402 - the folders must be known first
import protections  # noqa: E402
from nursery import Nurseries, Nursery, serve  # noqa: E402


class CrashingNursery(Nursery):
    """The process from which a crashing service is forked."""

    def __init__(self, service: str, trap: crash_points.Trap, without: tuple[str, ...]) -> None:
        super().__init__(service, (sys.executable, __file__, str(trap.path), *without))


class CrashingNurseries(Nurseries):
    """Gate, executor and venue from crashing nurseries; market-data from a plain one."""

    def __init__(self, trap: crash_points.Trap, without: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.trap, self.without = trap, without

    def of(self, service: str) -> Nursery:
        if service not in self.opened:
            is_plain = service == "gpt_trader.market_data"
            self.opened[service] = Nursery(service) if is_plain else CrashingNursery(service, self.trap, self.without)
        return self.opened[service]


if __name__ == "__main__":
    module, trap_file, *removed = sys.argv[1:]
    importlib.import_module(f"{module}.__main__")
    service = module.rpartition(".")[2]
    crash_points.install(service, crash_points.Trap(Path(trap_file)))
    protections.remove(service, removed)
    serve(module)
