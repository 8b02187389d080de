"""Exposure of what moves together: by declared cluster, and by measured correlation (G7, SZ6, UN5)."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from gpt_trader.risk_gate.domain.exposure import Exposure
from gpt_trader.risk_gate.domain.increments import ONE, ZERO
from gpt_trader.risk_gate.domain.policy.orders import ExposureLimits


@dataclass(frozen=True, slots=True)
class Grouped:
    """Worst-case notional of what moves with a product; `fraction` of equity is what its cluster may have."""

    cluster: Decimal
    fraction: Decimal
    correlated: Decimal


def grouped(product: str, exposure: Exposure, coefficients: Mapping[str, Decimal], limits: ExposureLimits) -> Grouped:
    """Add up both groups of a product."""
    return Grouped(*clustered(product, exposure, limits), correlated(product, exposure, coefficients))


def clustered(product: str, exposure: Exposure, limits: ExposureLimits) -> tuple[Decimal, Decimal]:
    """Return the worst-case notional of a product's cluster and the share of equity that it may have.

    What is in no named cluster is one cluster together: nobody has said that it moves on its own.
    """
    known = limits.clustered
    cluster = known.get(product)
    if cluster is not None:
        return exposure.within(cluster.products), cluster.fraction
    others = [notional for name, notional in exposure.by_product.items() if name not in known]
    return sum(others, ZERO), limits.default_cluster_fraction


def by_cluster(exposure: Exposure, limits: ExposureLimits) -> dict[str, Decimal]:
    """Return the worst-case notional of each named cluster."""
    return {name: exposure.within(cluster.products) for name, cluster in limits.clusters.items()}


def correlated(product: str, exposure: Exposure, coefficients: Mapping[str, Decimal]) -> Decimal:
    """Return the worst-case notional that moves with a product: each other one's counts at its |correlation|.

    This is the row (C w) of the product in the portfolio's variance w'Cw, to which its share of the risk is
    proportional (R. Litterman, "Hot Spots and Hedges", 1996), with two turns to the safe side: an unknown coefficient
    is 1, and a negative one adds as well, for correlations jump when it matters.
    """
    total = ZERO
    for other, notional in exposure.by_product.items():
        total += notional if other == product else notional * abs(coefficients.get(other, ONE))
    return total
