"""The journal gives back the reports of the run that wrote it."""

from collections.abc import Iterable, Iterator

from gpt_trader.executor.domain.ledger import Ledger
from gpt_trader.executor.domain.order import Report
from gpt_trader.executor.domain.records import parse


def recovered(payloads: Iterable[object]) -> Ledger:
    """Fold the payloads of a journal in order: the state in which its run ended."""
    ledger = Ledger()
    for payload in payloads:
        ledger.apply(parse(payload))
    return ledger


def replay(payloads: Iterable[object]) -> Iterator[Report]:
    """Fold the payloads of a journal in order and yield every order event and fill, as they were first reported."""
    ledger = Ledger()
    for payload in payloads:
        yield from ledger.apply(parse(payload))
