"""Which settings of a service an operator may choose through the chart, and why not the others."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import yaml
from rendered import CHART, PROFILES, Json, configuration, of_kind, rendered

from gpt_trader.executor.settings import ExecutorSettings
from gpt_trader.lab.settings import LabSettings
from gpt_trader.learning.settings import Settings as LearningSettings
from gpt_trader.market_data.settings import MarketDataSettings
from gpt_trader.risk_gate.settings import RiskGateSettings
from gpt_trader.runtime.settings import ServiceSettings
from gpt_trader.strategy.settings import StrategySettings

SCHEMA = CHART / "values.schema.json"

MODELS: Mapping[str, type[ServiceSettings]] = {
    "risk-gate": RiskGateSettings,
    "executor": ExecutorSettings,
    "market-data": MarketDataSettings,
    "strategy": StrategySettings,
    "learning": LearningSettings,
    "lab": LabSettings,
}
SECTIONS = {"risk-gate": "riskGate", "market-data": "marketData"}
"""Names in the values, where they differ."""
_ELSEWHERE = {
    "run_dir": "a pod is found by its Service, not by a file that it leaves",
    "clock_origin": "a variable from the Secret that holds the demo's first moment",
    "clock_start": "the same",
}
WITHHELD: Mapping[str, Mapping[str, str]] = {
    "risk-gate": {**_ELSEWHERE, "token_seconds": "gate and executor must agree on a token's life"},
    "executor": {
        **_ELSEWHERE,
        "token_life_seconds": "gate and executor must agree on a token's life",
        "clock_bound_seconds": "the gate's is fixed, and they must agree",
    },
    "market-data": {
        **_ELSEWHERE,
        "products": "the value `products` is the list for everybody",
        "shard_index": "each shard's own command line",
    },
    "strategy": {
        **_ELSEWHERE,
        "shard_index": "each shard's own command line",
        "record_dir": "the pod has no volume: inputs are recorded on one machine only",
    },
    "learning": _ELSEWHERE,
    "lab": _ELSEWHERE,
}
"""What no value reaches, with the reason."""


def running(profile: str) -> list[str]:
    """Name the services that a profile installs."""
    maps = {one["metadata"]["labels"]["app.kubernetes.io/component"] for one in of_kind(rendered(profile), "ConfigMap")}
    return [service for service in MODELS if service in maps]


def said_by_the_chart(service: str) -> set[str]:
    """Name what a profile of the chart tells a service, in any install."""
    found: set[str] = set()
    for profile in PROFILES:
        if service not in running(profile):
            continue
        told = yaml.safe_load(configuration(rendered(profile), service)["app.yaml"])
        found |= {*told["runtime"], *told[service]}
    return found


def choosable(service: str) -> Mapping[str, Json]:
    """Give the schema of each setting that `<service>.settings` takes."""
    model = MODELS[service]
    taken = said_by_the_chart(service) | WITHHELD[service].keys()
    shapes = model.model_json_schema()["properties"]
    return {
        name: {**_shape(field, shapes[name]), "description": field.description}
        for name, field in sorted(model.model_fields.items())
        if name not in taken
    }


def _shape(field: Any, shape: Json) -> Json:
    """Reduce to type and bounds; a duration is a number of seconds."""
    if field.annotation is timedelta:
        bounds = {type(one).__name__: one for one in field.metadata}
        most = {"maximum": bounds["Le"].le.total_seconds()} if "Le" in bounds else {}
        return {"type": "number", "exclusiveMinimum": 0, **most}
    plain = next(one for one in shape.get("anyOf", [shape]) if one.get("type") in {"number", "integer", "boolean"})
    return {name: plain[name] for name in _KEPT if name in plain}


_KEPT = ("type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def schema_text() -> str:
    """Return the chart's schema with the settings of the code in it."""
    schema = json.loads(SCHEMA.read_text())
    for service in MODELS:
        section = schema["properties"][SECTIONS.get(service, service)]["properties"]
        section["settings"] = {"type": "object", "additionalProperties": False, "properties": choosable(service)}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
