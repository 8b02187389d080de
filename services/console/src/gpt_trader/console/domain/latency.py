"""How long it took from a tick to its order at the venue."""

from collections.abc import Mapping, Sequence
from decimal import Decimal


def tick_to_order(left_at_ns: Mapping[str, int], accepted_at_ns: Mapping[str, int]) -> list[Decimal]:
    """Return milliseconds of real time per order that the venue accepted, shortest first.

    Both are keyed by client order id: when the tick that led to the order was received, and when the
    venue accepted the order.
    """
    pairs = ((accepted_at_ns[own], left) for own, left in left_at_ns.items() if own in accepted_at_ns)
    return sorted(Decimal(accepted - left) / 1_000_000 for accepted, left in pairs)


def percentile(ordered: Sequence[Decimal], percent: int) -> Decimal | None:
    """Return the nearest-rank percentile of ordered values; None when there are none."""
    if not ordered:
        return None
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
