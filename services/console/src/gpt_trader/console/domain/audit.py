"""What the bus published against what the gate's journal says."""

from collections.abc import Iterable, Sequence

from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.message import Hash


def differences(published: Sequence[Decision], journaled: Iterable[Hash]) -> list[str]:
    """Name every decision that only one of the two knows, or that stands in another place."""
    hashes = list(journaled)
    places = {own_hash: place for place, own_hash in enumerate(hashes)}
    problems = [
        f"decision {decision.decision_id} on the bus is not in the journal (hash {decision.hash})"
        for decision in published
        if decision.hash not in places
    ]
    known = {decision.hash for decision in published}
    problems += [
        f"decision with hash {own_hash} in the journal was never published"
        for own_hash in hashes
        if own_hash not in known
    ]
    order = [places[decision.hash] for decision in published if decision.hash in places]
    if order != sorted(order):
        problems.append("decisions on the bus are not in the journal's order")
    return problems
