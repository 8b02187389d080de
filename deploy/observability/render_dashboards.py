"""Writes the Grafana dashboards of the chart from the descriptions beside this file; --check compares instead.

    deploy/observability/dashboards/*.yaml  ->  deploy/helm/gpt-trader/files/dashboards/*.json

A description is a title and rows of panels. A panel has a title, a `kind` (stat, timeseries, bargauge, table,
state-timeline), an `expr` or several `queries` ([expression, legend]), and, where they differ from the defaults, a
`unit`, a `width` in Grafana's 24 columns, `thresholds` ([value, colour]; `base` is the colour below the first),
`mappings` (value: text) and a `description`.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
DESCRIPTIONS = HERE / "dashboards"
WRITTEN = HERE.parent / "helm" / "gpt-trader" / "files" / "dashboards"
COLUMNS = 24
SCHEMA_VERSION = 39
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
HEIGHTS = {"stat": 4, "row": 1}
INSTANT = frozenset({"stat", "bargauge", "table"})
LEGEND = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
REDUCE = {"calcs": ["lastNotNull"], "fields": "", "values": False}
OPTIONS: dict[str, dict[str, Any]] = {
    "stat": {"reduceOptions": REDUCE, "colorMode": "value", "graphMode": "none", "textMode": "auto"},
    "timeseries": {"legend": LEGEND, "tooltip": {"mode": "multi", "sort": "desc"}},
    "bargauge": {"reduceOptions": REDUCE, "orientation": "horizontal", "displayMode": "basic"},
    "table": {"showHeader": True, "cellHeight": "sm"},
    "state-timeline": {"legend": LEGEND, "mergeValues": True, "showValue": "auto", "rowHeight": 0.9},
}  # fmt: skip
TIMESERIES = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 8, "showPoints": "never", "spanNulls": False}


def main(words: list[str]) -> int:
    """Write the files, or say with exit status 1 which of them are not what would be written."""
    wanted = {path.stem: text_of(yaml.safe_load(path.read_text())) for path in sorted(DESCRIPTIONS.glob("*.yaml"))}
    if "--check" in words:
        found = {path.stem: path.read_text() for path in WRITTEN.glob("*.json")}
        stale = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        sys.stdout.writelines(f"{name}.json is not what its description says: make dashboards\n" for name in stale)
        return 1 if stale else 0
    WRITTEN.mkdir(parents=True, exist_ok=True)
    for name, text in wanted.items():
        (WRITTEN / f"{name}.json").write_text(text)
        sys.stdout.write(f"{WRITTEN / name}.json\n")
    return 0


def text_of(description: dict[str, Any]) -> str:
    """Spell a dashboard as Grafana reads it."""
    return json.dumps(dashboard(description), indent=1) + "\n"


def dashboard(description: dict[str, Any]) -> dict[str, Any]:
    """Lay the rows out one below the other."""
    return {
        "title": f"GPT-Trader / {description['title']}",
        "uid": description["uid"],
        "description": description["description"],
        "tags": ["gpt-trader"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "utc",
        "time": {"from": "now-1h", "to": "now"},
        "refresh": "10s",
        "annotations": {"list": []},
        "links": [
            {
                "title": "GPT-Trader", "type": "dashboards", "tags": ["gpt-trader"], "asDropdown": True,
                "includeVars": True, "keepTime": True, "targetBlank": False, "icon": "external link", "tooltip": "",
                "url": "",
            }
        ],
        "templating": {"list": [datasource()]},
        "panels": list(panels(description["rows"])),
    }  # fmt: skip


def datasource() -> dict[str, Any]:
    """Let the reader choose which Prometheus is asked."""
    return {
        "name": "datasource", "type": "datasource", "label": "Prometheus", "query": "prometheus", "current": {},
        "hide": 0, "includeAll": False, "multi": False, "options": [], "refresh": 1, "regex": "",
        "skipUrlSync": False,
    }  # fmt: skip


def panels(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Give every panel its number and its place: from left to right, in a new line when the columns are used up."""
    number, top = 0, 0
    for row in rows:
        number += 1
        yield {
            "id": number, "type": "row", "title": row["title"], "collapsed": False, "panels": [],
            "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": top},
        }  # fmt: skip
        top, left, line = top + 1, 0, 0
        for given in row["panels"]:
            width, height = given.get("width", 8), given.get("height", HEIGHTS.get(given["kind"], 8))
            if left + width > COLUMNS:
                top, left, line = top + line, 0, 0
            number += 1
            yield panel(given, number, {"h": height, "w": width, "x": left, "y": top})
            left, line = left + width, max(line, height)
        top += line


def panel(given: dict[str, Any], number: int, place: dict[str, int]) -> dict[str, Any]:
    """Spell one panel."""
    kind = given["kind"]
    queries = given.get("queries") or [[given["expr"], given.get("legend", "")]]
    return {
        "id": number,
        "type": kind,
        "title": given["title"],
        "description": given.get("description", ""),
        "datasource": DATASOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults(given), "overrides": []},
        "options": OPTIONS[kind] | given.get("options", {}),
        "targets": [target(kind, "ABCDEFGH"[at], *query) for at, query in enumerate(queries)],
    }


def target(kind: str, name: str, expression: str, legend: str = "") -> dict[str, Any]:
    """Spell one query; what shows a single value asks for now only."""
    return {
        "refId": name,
        "datasource": DATASOURCE,
        "editorMode": "code",
        "expr": " ".join(expression.split()),
        "legendFormat": legend or "__auto",
        "range": kind not in INSTANT,
        "instant": kind in INSTANT,
        "format": "table" if kind == "table" else "time_series",
    }


def defaults(given: dict[str, Any]) -> dict[str, Any]:
    """Spell units, colours and words of the values."""
    steps = [
        {"color": given.get("base", "green"), "value": None},
        *({"color": c, "value": v} for v, c in given.get("thresholds", [])),
    ]
    words = {
        str(value): {"text": text, "index": at} for at, (value, text) in enumerate(given.get("mappings", {}).items())
    }
    return {
        "unit": given.get("unit", "short"),
        "color": {"mode": "thresholds" if given["kind"] != "timeseries" else "palette-classic"},
        "thresholds": {"mode": "absolute", "steps": steps},
        "mappings": [{"type": "value", "options": words}] if words else [],
        "custom": TIMESERIES if given["kind"] == "timeseries" else {},
    }  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
