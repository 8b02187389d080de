"""Time that jumps from event to event, and an event loop per simulated process that can be dropped in mid-step."""

import asyncio
import heapq
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any, TypeVar, TypeVarTuple, Unpack

from typing_extensions import override

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Crashed(BaseException):
    """The simulated process died inside of a call; no handler of the service may survive that, so it is no Exception.

    It ends the step; the process is dropped before it can do anything else.
    """


@dataclass(slots=True)
class Timeline:
    """All that is due, in order of time, then of asking: nothing here depends on the machine."""

    now: float = 0.0
    steps: int = 0
    _order: int = 0
    _due: list[tuple[float, int, "ProcessLoop", asyncio.Handle]] = field(default_factory=list)

    def put(self, when: float, loop: "ProcessLoop", handle: asyncio.Handle) -> None:
        """Have a handle run at a time, after what is due then already."""
        self._order += 1
        heapq.heappush(self._due, (when, self._order, loop, handle))

    def run(self, until: float) -> None:
        """Take every step that is due by then; between two of them nothing happens."""
        due = self._due
        while due and due[0][0] <= until:
            when, _, loop, handle = heapq.heappop(due)
            if loop.is_dead or handle.cancelled():
                continue
            self.now = max(self.now, when)
            self.steps += 1
            loop.step(handle)
        self.now = until


@dataclass(eq=False)
class ProcessLoop(asyncio.AbstractEventLoop):
    """The event loop of one simulated process: asyncio's own tasks, locks and timeouts run on it unchanged.

    `dies` is asked before each step, which is after every await of every task: that is where a crash strikes.
    """

    timeline: Timeline
    name: str
    dies: Callable[[], bool] = lambda: False
    is_dead: bool = False
    bugs: list[BaseException] = field(default_factory=list)
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    on_death: list[Callable[[], None]] = field(default_factory=list)

    @classmethod
    def of(cls, timeline: Timeline, name: str, dies: Callable[[], bool] = lambda: False) -> "ProcessLoop":
        """Make a loop; what it lacks of asyncio's own raises NotImplementedError: sockets, signals, threads."""
        return cls(timeline, name, dies)

    def step(self, handle: asyncio.Handle) -> None:
        """Run one callback, which takes one task to its next await."""
        if self.dies():
            self.kill()
            return
        asyncio._set_running_loop(self)  # noqa: SLF001 - how every event loop names itself; uvloop does the same
        try:
            handle._run()  # noqa: SLF001 - as above
        finally:
            asyncio._set_running_loop(None)  # noqa: SLF001 - as above

    def kill(self) -> None:
        """Drop the process: nothing of it runs again, no `finally`, no handler; it is kept, so none of it is closed."""
        if self.is_dead:
            return
        self.is_dead = True
        for told in self.on_death:
            told()

    def later(self, seconds: float, callback: Callable[..., object], *arguments: object) -> None:
        """Have something happen in this process after a while."""
        self.timeline.put(self.timeline.now + seconds, self, asyncio.Handle(callback, arguments, self, Context()))

    @override
    def time(self) -> float:
        return self.timeline.now

    @override
    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self.timeline.put(self.timeline.now, self, handle)
        return handle

    @override
    def call_soon_threadsafe(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    @override
    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self.timeline.put(when, self, handle)
        return handle

    @override
    def call_later(
        self, delay: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.timeline.now + delay, callback, *args, context=context)

    @override
    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    @override
    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    @override
    def run_in_executor(self, executor: object, func: Callable[[Unpack[Ts]], T], *args: *Ts) -> asyncio.Future[T]:
        """Do at once what a thread would do: the machine's threads have no place in simulated time."""
        done: asyncio.Future[T] = self.create_future()
        done.set_result(func(*args))
        return done

    @override
    def get_debug(self) -> bool:
        return False

    @override
    def is_running(self) -> bool:
        return not self.is_dead

    @override
    def is_closed(self) -> bool:
        return self.is_dead

    @override
    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what nobody caught: in a live process it is a bug."""
        error = context.get("exception")
        if not self.is_dead and error is not None:
            self.bugs.append(error)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Hear of a cancelled timer, which is passed over when its time comes."""
