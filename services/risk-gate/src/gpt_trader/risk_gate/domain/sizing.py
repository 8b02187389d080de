"""How much: a share of equity by tier and confidence, under every cap; each step is recorded."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from gpt_trader.contracts.decisions import SizingStep
from gpt_trader.contracts.market import ProductSpec
from gpt_trader.contracts.signals import Signal
from gpt_trader.risk_gate.domain.exposure import Exposure
from gpt_trader.risk_gate.domain.increments import ONE, ZERO, floor_to
from gpt_trader.risk_gate.domain.policy import Cluster, Policy


@dataclass(frozen=True, slots=True)
class Sized:
    """A quantity on the product's increments and how it came about."""

    quantity: Decimal
    steps: tuple[SizingStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryTerms:
    """What the size of an entry depends on besides the policy."""

    signal: Signal
    spec: ProductSpec
    limit_price: Decimal
    equity: Decimal
    exposure: Exposure
    cash: Decimal


def size_entry(terms: EntryTerms, policy: Policy) -> Sized:
    """Size an entry so that its worst case, fee included, stays under every cap.

    A cap that leaves nothing tradable is not applied here but left to its check, which then denies by name.
    """
    with_fee = ONE + policy.fee_rate
    unit_cost = terms.limit_price * with_fee
    least = max(terms.spec.base_min_size * unit_cost, terms.spec.quote_min_size * with_fee)
    notional = terms.equity * policy.sizing.tier_fractions[terms.spec.tier]
    steps = [SizingStep("tier", notional)]
    floor = policy.sizing.confidence_floor_fraction
    notional *= floor + (ONE - floor) * terms.signal.confidence
    steps.append(SizingStep("confidence", notional))
    for step, cap in _caps(terms, policy, unit_cost):
        if least <= cap < notional:
            notional = cap
            steps.append(SizingStep(step, notional))
    quantity = floor_to(max(notional, ZERO) / unit_cost, terms.spec.base_increment)
    steps.append(SizingStep("rounded", quantity * unit_cost))
    return Sized(quantity, tuple(steps))


def _caps(terms: EntryTerms, policy: Policy, unit_cost: Decimal) -> tuple[tuple[str, Decimal], ...]:
    product, held = terms.spec.product, terms.exposure.of(terms.spec.product)
    equity, limits, exposure = terms.equity, policy.limits, policy.exposure
    caps = [
        ("per_asset", equity * exposure.per_asset_fraction - held),
        ("total_at_risk", equity * exposure.total_fraction - terms.exposure.total),
        ("position_limit", limits.max_position_notional - held),
        ("order_limit", limits.max_order_notional),
        ("profile_notional", policy.sizing.max_entry_notional),
        ("cash", terms.cash),
    ]
    cluster = cluster_of(product, exposure.clusters)
    if cluster is not None:
        caps.append(("cluster", equity * cluster.fraction - terms.exposure.within(cluster.products)))
    most = policy.sizing.max_quantities.get(product)
    if most is not None:
        caps.append(("profile_quantity", most * unit_cost))
    return tuple(caps)


def cluster_of(product: str, clusters: Mapping[str, Cluster]) -> Cluster | None:
    """Find the cluster a product belongs to."""
    for cluster in clusters.values():
        if product in cluster.products:
            return cluster
    return None


def size_exit(
    position: Decimal, exits: Decimal, slice_quantity: Decimal | None, spec: ProductSpec, limit_price: Decimal
) -> Sized:
    """Size an exit: what is held minus what open exits may still take, or a slice of it; never more."""
    whole = max(abs(position) - exits, ZERO)
    steps = [SizingStep("position", whole * limit_price)]
    wanted = min(whole, spec.base_max_size)
    if slice_quantity is not None and slice_quantity < wanted:
        wanted = slice_quantity
        steps.append(SizingStep("slice", wanted * limit_price))
    quantity = floor_to(wanted, spec.base_increment)
    steps.append(SizingStep("rounded", quantity * limit_price))
    return Sized(quantity, tuple(steps))
