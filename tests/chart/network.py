"""Who may reach whom, read from NetworkPolicies as a network plugin reads them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from rendered import Json, Pod, of_kind, pods

OUTSIDE = "(any address)"


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """A connection that is permitted at both ends."""

    source: str
    peer: str
    port: str


def permitted(objects: list[Json]) -> set[Edge]:
    """Return every permitted connection; without a policy for a pod everything is."""
    known = list({pod.component: pod for pod in pods(objects)}.values())
    found = {edge for pod in known for edge in _outgoing(objects, pod, known)}
    return found | {edge for pod in known for edge in _incoming(objects, pod)}


def half_open(objects: list[Json]) -> list[str]:
    """Name what one end permits and the other forbids: a policy that was forgotten."""
    known = list({pod.component: pod for pod in pods(objects)}.values())
    out = {edge for pod in known for edge in _egress(objects, pod, known) if not edge.peer.startswith("(")}
    into = {edge for pod in known for edge in _ingress(objects, pod, known) if not edge.source.startswith("(")}
    return sorted(f"{edge.source} -> {edge.peer}:{edge.port} is permitted at one end only" for edge in out ^ into)


def _outgoing(objects: list[Json], pod: Pod, known: list[Pod]) -> Iterator[Edge]:
    into = {edge for one in known for edge in _ingress(objects, one, known)}
    unguarded = {one.component for one in known if not _policies(objects, one, "Ingress")}
    for edge in _egress(objects, pod, known):
        if edge.peer.startswith("(") or edge in into or edge.peer in unguarded:
            yield edge


def _incoming(objects: list[Json], pod: Pod) -> Iterator[Edge]:
    for policy in _policies(objects, pod, "Ingress"):
        for rule in policy["spec"].get("ingress", []):
            for peer in rule.get("from") or [{}]:
                if "namespaceSelector" in peer or "ipBlock" in peer or not peer:
                    yield from (Edge(_outside(peer), pod.component, port) for port in _ports(rule))


def _egress(objects: list[Json], pod: Pod, known: list[Pod]) -> Iterator[Edge]:
    policies = _policies(objects, pod, "Egress")
    if not policies:
        yield Edge(pod.component, OUTSIDE, "any")
    for policy in policies:
        for rule in policy["spec"].get("egress", []):
            for peer in rule.get("to") or [{}]:
                for name in _named(peer, known):
                    yield from (Edge(pod.component, name, port) for port in _ports(rule))


def _ingress(objects: list[Json], pod: Pod, known: list[Pod]) -> Iterator[Edge]:
    policies = _policies(objects, pod, "Ingress")
    if not policies:
        yield Edge(OUTSIDE, pod.component, "any")
    for policy in policies:
        for rule in policy["spec"].get("ingress", []):
            for peer in rule.get("from") or [{}]:
                for name in _named(peer, known):
                    yield from (Edge(name, pod.component, port) for port in _ports(rule))


def _named(peer: Json, known: list[Pod]) -> list[str]:
    if set(peer) == {"podSelector"}:
        return sorted({pod.component for pod in known if _matches(peer["podSelector"], pod)})
    return [_outside(peer)]


def _outside(peer: Json) -> str:
    if not peer:
        return OUTSIDE
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        but = f" except {', '.join(block['except'])}" if block.get("except") else ""
        return f"({block['cidr']}{but})"
    words = [f"{key}={value}" for part in ("namespaceSelector", "podSelector") for key, value in
             peer.get(part, {}).get("matchLabels", {}).items()]  # fmt: skip
    return f"({', '.join(words) or json.dumps(peer)})"


def _ports(rule: Json) -> list[str]:
    ports = rule.get("ports")
    return ["any"] if not ports else [f"{one['port']}/{one['protocol']}" for one in ports]


def _policies(objects: list[Json], pod: Pod, direction: str) -> list[Json]:
    return [
        policy
        for policy in of_kind(objects, "NetworkPolicy")
        if direction in policy["spec"]["policyTypes"] and _matches(policy["spec"]["podSelector"], pod)
    ]


def _matches(selector: Json, pod: Pod) -> bool:
    assert set(selector) <= {"matchLabels"}, f"not understood here: {selector}"
    return all(pod.labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
