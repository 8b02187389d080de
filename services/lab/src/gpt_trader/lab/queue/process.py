"""A process of its own that runs pieces: the one with the bus stays awake, and can end it in the middle of a piece."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from gpt_trader.lab.queue.pieces import Piece
from gpt_trader.lab.storm.campaign import Tally, prepare, tallied
from gpt_trader.runtime.bus import Unavailable


class ProcessDied(Unavailable):
    """The process ended in the middle of a piece; another may do better."""


class TooSlow(Exception):
    """A piece took longer than a piece may."""


@dataclass(slots=True)
class _Running:
    process: SpawnProcess
    pipe: "Connection[Piece, Tally]"


@dataclass(slots=True)
class StormProcess:
    """Runs one piece at a time; a process that died or was ended is replaced when the next piece comes."""

    piece_seconds: float
    running: _Running | None = None

    async def run(self, piece: Piece) -> Tally:
        """Run a piece; raises ProcessDied or TooSlow. Cancelled, nothing of it goes on."""
        running = self.running = self.running or _started()
        is_idle = False
        try:
            async with asyncio.timeout(self.piece_seconds):
                running.pipe.send(piece)
                tally = await asyncio.to_thread(running.pipe.recv)
            is_idle = True
        except TimeoutError:
            raise TooSlow(f"took longer than {self.piece_seconds:g} s") from None
        except (EOFError, OSError) as error:
            raise ProcessDied(f"the process that ran {piece.seeds} ended in the middle") from error
        finally:
            if not is_idle:
                self.end()
        return tally

    def end(self) -> None:
        """End the process now."""
        if self.running is not None:
            self.running.process.kill()
            self.running.process.join()
            self.running = None


@asynccontextmanager
async def storm_process(piece_seconds: float) -> AsyncIterator[StormProcess]:
    """Provide a process that does not outlive its use."""
    process = StormProcess(piece_seconds)
    try:
        yield process
    finally:
        process.end()


def _started() -> _Running:
    ours, theirs = Pipe()
    process = get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()  # so that its death is the end of ours
    return _Running(process, ours)


def _serve(pipe: "Connection[Tally, Piece]") -> None:
    """Run what comes, until nobody is there to hear of it: asked after each seed, for who is killed tells nobody."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    prepare()
    with suppress(EOFError, OSError):
        while True:
            piece = pipe.recv()
            pipe.send(tallied(piece.seeds, piece.kind, lambda: not pipe.poll()))
