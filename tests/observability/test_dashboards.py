"""The dashboards are what their descriptions say, and shaped as Grafana reads them."""

import itertools
import json
import re
import subprocess
import sys
from typing import Any

import pytest
from watching import DASHBOARDS, ROOT, rules

KINDS = {"row", "stat", "timeseries", "bargauge", "table", "state-timeline"}
METRICS_PAGE = ROOT / "docs/observability/metrics.md"
FOREIGN = {
    "up", "process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds",
    "process_start_time_seconds", "python_gc_collections_total",
}  # fmt: skip
"""What Prometheus and its client library bring along."""
METRIC = re.compile(
    r"(?<![\w\"])((?:risk_gate|executor|market_data|strategy|learning|exchange_sim|bus|service|settings|process|python)_\w+|up)"
    r"(?=[\s{)\[]|$)"
)
PAGES = {path.stem: json.loads(path.read_text()) for path in DASHBOARDS}


def test_there_are_six_dashboards_with_names_of_their_own() -> None:
    assert PAGES.keys() == {"overview", "risk", "execution", "market-data", "strategies", "infrastructure"}
    assert len({page["uid"] for page in PAGES.values()}) == len({page["title"] for page in PAGES.values()}) == 6


def test_the_files_are_what_the_descriptions_say() -> None:
    script = ROOT / "deploy/observability/render_dashboards.py"

    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", PAGES)
def test_panels_are_numbered_and_do_not_overlap(name: str) -> None:
    panels = PAGES[name]["panels"]

    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
    assert {panel["type"] for panel in panels} <= KINDS
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] in range(25 - place["w"])
        assert place["h"] > 0
    for one, other in itertools.combinations(panels, 2):
        assert not overlap(one["gridPos"], other["gridPos"]), (one["title"], other["title"])


@pytest.mark.parametrize("name", PAGES)
def test_every_query_asks_the_chosen_data_source(name: str) -> None:
    page = PAGES[name]
    chosen = {"type": "prometheus", "uid": "${datasource}"}

    assert [(one["name"], one["type"], one["query"]) for one in page["templating"]["list"]] == [
        ("datasource", "datasource", "prometheus")
    ]
    for panel in page["panels"]:
        if panel["type"] != "row":
            assert panel["datasource"] == chosen
            assert panel["targets"]
            assert [target["refId"] for target in panel["targets"]] == list("ABCDEFGH")[: len(panel["targets"])]
            assert all(target["datasource"] == chosen and target["expr"] for target in panel["targets"])


def overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


def test_every_metric_that_panels_and_rules_ask_for_exists() -> None:
    served = {*re.findall(r"^\| `(\w+)` \|", METRICS_PAGE.read_text(), re.MULTILINE), *FOREIGN}
    asked = [
        target["expr"] for page in PAGES.values() for panel in page["panels"] for target in panel.get("targets", [])
    ]
    asked += [rule["expr"] for rule in rules()]

    names = {name.removesuffix("_bucket") for expression in asked for name in METRIC.findall(expression)}

    assert len(names) > 70
    assert names <= served
