"""A campaign on the bus: its pieces are put into the queue, and what becomes of each is waited for."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from pydantic import ValidationError

from gpt_trader.contracts.subjects import lab_results, lab_work
from gpt_trader.lab.queue.pieces import OUTCOME, Outcome, Piece, PieceFailed, PieceRan
from gpt_trader.lab.storm.campaign import Tally
from gpt_trader.runtime.bus import Bus, BusError, BusUnavailable, Received, problems
from gpt_trader.runtime.release import release_of

_WORK, _RESULTS = "LAB_WORK", "LAB_RESULTS"
_LOOK_SECONDS = 0.5


@dataclass(slots=True, kw_only=True)
class Submission:
    """One campaign in the queue; `told` hears of the sum when it grows and ends it by returning False.

    After `quiet_looks` looks without news somebody must ask whether there will be any.
    """

    bus: Bus
    campaign: str
    pieces: tuple[Piece, ...]
    told: Callable[[Tally], bool]
    warn: Callable[[str], None]
    quiet_looks: int = 20
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    read: int = 0

    async def run(self) -> None:
        """Submit, and collect until every piece is answered or nobody wants more; what is left is taken back."""
        try:
            for number, piece in enumerate(self.pieces):
                subject = lab_work(self.campaign, number)
                await self.bus.store(subject, piece, message_id=subject)
            await self._collect()
        finally:
            if len(self.outcomes) < len(self.pieces):
                await self._take_back()

    def undone(self) -> Iterator[tuple[Piece, str]]:
        """Name the pieces that nobody could run, with the reason."""
        for number, outcome in sorted(self.outcomes.items()):
            if isinstance(outcome, PieceFailed):
                yield self.pieces[number], outcome.reason

    def foreign(self) -> set[str]:
        """Name the releases of workers that are not ours: their storms may be others."""
        return {one.release for one in self.outcomes.values() if isinstance(one, PieceRan)} - {release_of("lab")}

    async def _collect(self) -> None:
        quiet = 0
        while len(self.outcomes) < len(self.pieces):
            has_news = await self._look()
            if has_news and not self.told(self.tally):
                return
            quiet = 0 if has_news else quiet + 1
            if quiet == self.quiet_looks:
                quiet = 0
                await self._ask_what_waits()
            if not has_news:
                await asyncio.sleep(_LOOK_SECONDS)

    async def _look(self) -> bool:
        """Read what came since the last look; a bus that is away has no news."""
        before = len(self.outcomes)
        results = self.bus.history(
            _RESULTS, subject_filter=lab_results(self.campaign, "*"), start_sequence=self.read + 1
        )
        try:
            async for received in results:
                self._take(received)
        except BusUnavailable as error:
            self.warn(f"the bus is away ({error}); the work goes on without it")
        return len(self.outcomes) > before

    def _take(self, received: Received) -> None:
        """Count a piece the first time that it is answered: a worker that was thought dead may answer as well."""
        self.read = received.sequence or self.read
        number = int(received.subject.rpartition(".")[2])
        if number not in self.outcomes:
            self._settle(number, _outcome(received))

    def _settle(self, number: int, outcome: Outcome) -> None:
        self.outcomes[number] = outcome
        if isinstance(outcome, PieceRan):
            self.tally.merge(outcome.tally)

    async def _ask_what_waits(self) -> None:
        """Give up what is neither in the queue nor answered; a piece leaves the one only after the other is on disk."""
        try:
            waiting = {
                int(one.subject.rpartition(".")[2])
                async for one in self.bus.history(_WORK, subject_filter=lab_work(self.campaign, "*"))
            }
        except BusUnavailable:
            return
        if await self._look():
            return
        for number in sorted(set(range(len(self.pieces))) - waiting - self.outcomes.keys()):
            gone = "is in the queue no more and was not answered: it was taken back, or waited for a day"
            self._settle(number, PieceFailed(release="", reason=gone))
        if waiting:
            self.warn(
                f"nothing was heard for a while; pieces that wait or are being run: {len(waiting)}. Do workers run?"
            )

    async def _take_back(self) -> None:
        try:
            count = await self.bus.withdraw(_WORK, lab_work(self.campaign, "*"))
        except BusError as error:
            self.warn(f"the rest of campaign {self.campaign} stays in the queue, for a day at most: {error}")
        else:
            self.warn(f"{count} pieces were taken back; what workers have begun ends unheard")


def _outcome(received: Received) -> Outcome:
    try:
        return OUTCOME.validate_json(received.payload)
    except ValidationError as error:
        return PieceFailed(release="", reason=f"its result can't be read: {problems(error)}"[:400])
