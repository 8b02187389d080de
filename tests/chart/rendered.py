"""The chart as Helm renders it, and its pods."""

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import helm_python
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/helm/gpt-trader"
RELEASE = "rel"
NAMESPACE = "trading"
NAME = "rel-gpt-trader"

Json = dict[str, Any]

KEY = {"venue": {"existingSecret": "coinbase"}}
DRY_RUN = {"mode": "dry_run", **KEY}
LIVE = {"mode": "live", "confirmLive": "YES", **KEY}
EXTERNAL = {
    "nats": {"external": {"url": "nats://bus.example:4222", "monitorUrl": "http://bus.example:8222",
                          "cidrs": ["192.0.2.1/32"]}},
    "redis": {"external": {"url": "redis://store.example:6379", "existingSecret": "store", "cidrs": ["192.0.2.2/32"]}},
    "credentials": {"create": False, "externalSecrets": {"enabled": True, "store": "vault"}},
    "telemetry": {"otlpEndpoint": "http://collector.monitoring:4318/v1/traces"},
}  # fmt: skip

PROFILES: Mapping[str, tuple[str | None, Json]] = {
    "defaults": (None, {}),
    "demo": ("demo", {}),
    "paper": ("paper", {}),
    "dry-run": ("paper", DRY_RUN),
    "canary": ("canary", KEY),
    "canary-live": ("canary", LIVE),
    "prod-live": ("prod", {**LIVE, "marketData": {"shards": 3}, "strategy": {"shards": 2}}),
    "external": ("paper", {**DRY_RUN, **EXTERNAL}),
    "paper-external": ("paper", EXTERNAL),
    "lab": ("lab", {}),
    "lab-hpa": ("prod", {**LIVE, "lab": {"autoscaling": {"enabled": True}}}),
    "lab-external": ("lab", {**EXTERNAL, "mode": "paper"}),
    "lab-fixed": ("canary", {**KEY, "lab": {"workers": 2}}),
}
"""Each values file as it is meant to be installed: the file, and what an operator adds on the command line."""


def merged(base: Json, more: Json) -> Json:
    """Lay values over values, as Helm does: maps are joined, everything else is replaced."""
    joined = dict(base)
    for name, value in more.items():
        held = joined.get(name)
        joined[name] = merged(held, value) if isinstance(held, dict) and isinstance(value, dict) else value
    return joined


def values_of(profile: str, more: Json | None = None) -> Json:
    """Return what Helm is given for a profile."""
    file, added = PROFILES[profile]
    values: Json = {} if file is None else yaml.safe_load((CHART / f"values-{file}.yaml").read_text())
    return merged(merged(values, added), more or {})


@lru_cache(maxsize=32)
def _rendered(values: str) -> str:
    with helm_python.Chart.load(str(CHART)) as chart:
        return json.dumps(chart.render(json.loads(values), name=RELEASE, namespace=NAMESPACE))


def templates(values: Json) -> Mapping[str, str]:
    """Render with Helm; raises HelmError with the chart's own explanation."""
    found: dict[str, str] = json.loads(_rendered(json.dumps(values, sort_keys=True)))
    return found


@lru_cache(maxsize=32)
def _parsed(values: str) -> tuple[Json, ...]:
    return tuple(
        document
        for path, text in templates(json.loads(values)).items()
        if path.endswith(".yaml")
        for document in yaml.load_all(text, Loader=yaml.CSafeLoader)
        if document
    )


def rendered(profile: str, more: Json | None = None) -> list[Json]:
    """Return every object of a profile; changing them changes no other test's."""
    return copy.deepcopy(list(_parsed(json.dumps(values_of(profile, more), sort_keys=True))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod that the release runs: as long as it is installed, once, or when it is tested."""

    kind: str
    name: str
    replicas: int
    labels: Json
    spec: Json

    @property
    def component(self) -> str:
        return str(self.labels["app.kubernetes.io/component"])

    @property
    def is_lasting(self) -> bool:
        return self.kind in {"Deployment", "StatefulSet"}

    @property
    def containers(self) -> list[Json]:
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]


def pods(objects: list[Json]) -> Iterator[Pod]:
    """Find every pod, whatever makes it."""
    for one in objects:
        name = one["metadata"]["name"]
        if one["kind"] == "Pod":
            yield Pod(kind="Pod", name=name, replicas=1, labels=one["metadata"]["labels"], spec=one["spec"])
        elif one["kind"] in {"Deployment", "StatefulSet", "Job"}:
            template, replicas = one["spec"]["template"], one["spec"].get("replicas", 1)
            yield Pod(
                kind=one["kind"],
                name=name,
                replicas=replicas,
                labels=template["metadata"]["labels"],
                spec=template["spec"],
            )


def secrets_of(pod: Pod) -> set[str]:
    """Name every Secret that a pod sees, as file or variable."""
    found: set[str] = set()
    for volume in pod.spec.get("volumes", []):
        if "secret" in volume:
            found.add(volume["secret"]["secretName"])
        found |= {one["secret"]["name"] for one in volume.get("projected", {}).get("sources", []) if "secret" in one}
    return found.union(*(variables_of(container) for container in pod.containers))


def variables_of(container: Json) -> set[str]:
    """Name every Secret that a container sees as variable."""
    sources = (one.get("valueFrom", {}) for one in container.get("env", []))
    return {one["secretRef"]["name"] for one in container.get("envFrom", []) if "secretRef" in one} | {
        one["secretKeyRef"]["name"] for one in sources if "secretKeyRef" in one
    }


def of_kind(objects: list[Json], kind: str) -> list[Json]:
    """Find the objects of a kind."""
    return [one for one in objects if one["kind"] == kind]


def home_of(service: str) -> str:
    """Name a profile in which a service runs: the lab is in none by default."""
    return "lab" if service == "lab" else "defaults"


def configuration(objects: list[Json], service: str) -> Json:
    """Return the files that a service is given."""
    name = f"{NAME}-{service}"
    return next(one["data"] for one in of_kind(objects, "ConfigMap") if one["metadata"]["name"] == name)
