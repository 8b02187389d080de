"""What is generated from the chart is up to date, and every value is explained."""

import json

import yaml
from documents import MAP, POLICIES, README, described, network_map, readme, undescribed
from rendered import CHART, ROOT, Json

from gpt_trader.contracts.subjects import STREAMS


def test_the_readme_is_what_the_comments_say() -> None:
    assert README.read_text() == readme(), "run `make chart-docs`"


def test_the_network_map_is_what_the_policies_permit() -> None:
    assert MAP.read_text() == network_map(), "run `make chart-docs`"


def test_the_policies_are_those_that_the_gate_ships() -> None:
    assert {one.name for one in (CHART / "files/policies").iterdir()} == {one.name for one in POLICIES}
    for copy, shipped in POLICIES.items():
        assert copy.read_text() == shipped.read_text(), "run `make chart-docs`"


def test_every_value_is_explained() -> None:
    assert not undescribed()
    assert len(list(described())) > 90


def test_the_schema_knows_every_value_and_forbids_all_others() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    assert not open_sections(schema, "values")
    assert names(values) <= properties(schema)


OPEN = {"labels", "matchLabels", "nodeSelector", "namespaceSelector", "podSelector", "parameters", "global"}
"""Kubernetes' own words, a strategy's own parameters, and what Helm adds for subcharts."""


def open_sections(schema: Json, path: str) -> list[str]:
    is_open = schema.get("type") == "object" and schema.get("additionalProperties") is not False
    found = [path] if is_open and path.rsplit(".", 1)[-1] not in OPEN else []
    for name, inner in schema.get("properties", {}).items():
        found += open_sections(inner, f"{path}.{name}")
    return found + (open_sections(schema["items"], f"{path}[]") if "items" in schema else [])


def names(values: Json, path: str = "") -> set[str]:
    inner = [names(value, f"{path}.{name}") for name, value in values.items() if isinstance(value, dict)]
    return {f"{path}.{name}" for name in values if not path.endswith(".labels")}.union(*inner)


def properties(schema: Json, path: str = "") -> set[str]:
    inner = [properties(one, f"{path}.{name}") for name, one in schema.get("properties", {}).items()]
    return {f"{path}.{name}" for name in schema.get("properties", {})}.union(*inner)


def test_the_sizes_are_those_of_the_streams() -> None:
    taken = sum(stream.max_bytes for stream in STREAMS) / 1e9

    assert f"the streams take {taken:.1f} GB" in (ROOT / "docs/deploy/sizing.md").read_text()
    assert taken < 4
