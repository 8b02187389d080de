"""A service as its supervisor sees it: it runs until it ends or dies, and is started anew, always by its recovery."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field

from gpt_trader.lab.storm.fate import Fate, Odds
from gpt_trader.lab.storm.timeline import Crashed, ProcessLoop, Timeline
from gpt_trader.risk_gate.service.outbox import BusBehindJournal
from gpt_trader.runtime.bus import BusError
from gpt_trader.runtime.lifecycle import leaves

Main = Callable[["Process", ProcessLoop], Coroutine[object, object, None]]

_MEANT = (BusError, BusBehindJournal)
"""What a service may end of: a start brings it back. Anything else is a bug."""
_RESTART = (0.05, 0.5)
_STEP_ODDS: Mapping[str, Odds] = {"gate": {"crash": 0.001}, "executor": {"crash": 0.003}}
"""The executor takes far fewer steps, and most of them matter."""


@dataclass(slots=True)
class Process:
    """`lives` counts starts, `loop` is the present life; all lives are kept, for nothing of them may be closed."""

    name: str
    main: Main
    timeline: Timeline
    world_loop: ProcessLoop
    fate: Fate
    lives: list[ProcessLoop] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    bugs: list[BaseException] = field(default_factory=list)

    @property
    def loop(self) -> ProcessLoop:
        """The present life."""
        return self.lives[-1]

    def start(self) -> None:
        """Begin a life."""
        loop = ProcessLoop.of(self.timeline, self.name, self._dies)
        self.lives.append(loop)
        loop.on_death.append(self._restart)
        if self.fate.tell is not None:
            self.fate.tell(f"{self.name} starts ({len(self.lives)})")
        task = loop.create_task(self.main(self, loop))
        task.add_done_callback(lambda done: self._ended(loop, done))

    def _dies(self) -> bool:
        return self.fate.strike(f"{self.name}.step", _STEP_ODDS[self.name]) is not None

    def _restart(self) -> None:
        self.world_loop.later(self.fate.seconds(f"{self.name}.restart", *_RESTART), self.start)

    def _ended(self, loop: ProcessLoop, task: "asyncio.Task[None]") -> None:
        error = task.exception()
        found = [] if error is None else leaves(error)
        self.ends += [type(one).__name__ for one in found]
        if not loop.is_dead:
            self.bugs += [one for one in found if not isinstance(one, (*_MEANT, Crashed))]
            if self.fate.tell is not None:
                self.fate.tell(f"{self.name} ends: {found}")
            loop.kill()
