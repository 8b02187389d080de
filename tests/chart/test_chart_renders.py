"""The chart lints strictly, renders for every profile, and Kubernetes takes every object."""

import json
import re
from collections.abc import Callable

import helm_python
import jsonschema
import kubernetes_validate
import pytest
import yaml
from network import permitted
from rendered import (
    CHART,
    LIVE,
    NAME,
    PROFILES,
    ROOT,
    Json,
    configuration,
    home_of,
    of_kind,
    pods,
    rendered,
    secrets_of,
    templates,
    values_of,
)
from safety import KEDA, MONITORING

from gpt_trader.contracts.subjects import DURABLES, Zone
from gpt_trader.runtime.infrastructure.nats_config import account_name

CRDS = ROOT / "tests/chart/crds"
LOWEST, HIGHEST = "1.25", "1.37"
FOREIGN = {"PodMonitor", "PrometheusRule", "ExternalSecret", "ScaledObject"}
"""Kinds of operators; Kubernetes has no schema for them."""


def test_it_lints_strictly() -> None:
    found = helm_python.lint(str(CHART), strict=True, kube_version=f"v{LOWEST}.0")

    assert not found["errors"]
    assert [one["error"] for one in found["messages"]] == ["icon is recommended"]


def test_kubernetes_takes_every_object_of_every_profile() -> None:
    """Each distinct object once, against the lowest and the highest version that the chart supports."""
    distinct = {json.dumps(one, sort_keys=True) for profile in PROFILES for one in rendered(profile)}
    native = [one for one in map(json.loads, distinct) if one["kind"] not in FOREIGN]

    for one in native:
        for version in (LOWEST, HIGHEST):
            kubernetes_validate.validate(one, version, strict=True)
    assert len(native) > 100
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"] == f">={LOWEST}.0-0"


def test_the_operators_take_every_object_of_theirs() -> None:
    """Against their CustomResourceDefinitions, closed: an API server would drop what it does not know."""
    asked = {"metrics": {"podMonitor": {"enabled": True, "labels": {"team": "a"}}, "prometheusRule": {"enabled": True}}}
    objects = [one for profile in PROFILES for one in rendered(profile)] + rendered("defaults", asked)
    theirs = [one for one in objects if one["kind"] in FOREIGN]

    assert {one["kind"] for one in theirs} == FOREIGN
    for one in theirs:
        operators_schema(one["kind"]).validate(one)


@pytest.mark.parametrize(("kind", "sabotage"), [
    ("PodMonitor", lambda spec: spec["podMetricsEndpoints"][0].update(intervall="15s")),
    ("PodMonitor", lambda spec: spec.pop("selector")),
    ("PrometheusRule", lambda spec: spec["groups"][0]["rules"][0].pop("expr")),
    ("ExternalSecret", lambda spec: spec["dataFrom"][0].update(extract={"keys": "a"})),
    ("ScaledObject", lambda spec: spec.update(minReplicas=0)),
    ("ScaledObject", lambda spec: spec["triggers"][0]["metadata"].update(lagThreshold=2)),
])  # fmt: skip
def test_the_operators_schemas_refuse_a_sabotage(kind: str, sabotage: Callable[[Json], object]) -> None:
    one = next(one for profile in PROFILES for one in rendered(profile) if one["kind"] == kind)

    sabotage(one["spec"])

    with pytest.raises(jsonschema.ValidationError):
        operators_schema(kind).validate(one)


def operators_schema(kind: str) -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(closed(json.loads((CRDS / f"{kind}.json").read_text())["schema"]))


def closed(schema: Json) -> Json:
    """Forbid what the schema does not name, at every depth but the object's own metadata."""
    inner = {name: closed(part) for name, part in schema.get("properties", {}).items()}
    shut = {"properties": inner} | ({} if "additionalProperties" in schema else {"additionalProperties": False})
    items = {"items": closed(schema["items"])} if "items" in schema else {}
    return schema | items | (shut if inner else {})


@pytest.mark.parametrize("profile", PROFILES)
def test_every_port_names_its_protocol(profile: str) -> None:
    ports = [port for pod in pods(rendered(profile)) for one in pod.containers for port in one.get("ports", [])]
    ports += [port for one in of_kind(rendered(profile), "Service") for port in one["spec"]["ports"]]

    assert ports
    assert all(port["protocol"] == "TCP" for port in ports)


def test_every_secret_that_a_pod_sees_is_made_by_the_bootstrap() -> None:
    made = {name for role in of_kind(rendered("defaults"), "Role") for name in role["rules"][1]["resourceNames"]}

    seen = set[str]().union(*(secrets_of(pod) for pod in pods(rendered("defaults"))))

    assert seen <= made


def test_external_secrets_are_asked_for_under_the_same_names() -> None:
    objects = rendered("external")
    asked = {one["spec"]["target"]["name"] for one in of_kind(objects, "ExternalSecret")}

    seen = set[str]().union(*(secrets_of(pod) for pod in pods(objects)))

    assert seen - asked == {"coinbase", "store"}
    assert not [pod.name for pod in pods(objects) if pod.component == "bootstrap"]


def test_without_servers_of_its_own_the_chart_makes_none() -> None:
    names = {pod.component for pod in pods(rendered("external"))}

    assert not names & {"nats", "redis", "exchange-sim"}


def test_three_bus_servers_are_on_three_nodes_and_keep_three_replicas() -> None:
    found = {pod.component: pod for pod in pods(rendered("prod-live"))}

    (apart,) = found["nats"].spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert found["nats"].replicas == 3
    assert apart["topologyKey"] == "kubernetes.io/hostname"
    assert apart["labelSelector"]["matchLabels"] == found["nats"].labels
    assert "--replicas=3" in found["provision"].spec["containers"][0]["args"]


@pytest.mark.parametrize(("service", "count"), [("market-data", 3), ("strategy", 2)])
def test_each_shard_knows_its_place(service: str, count: int) -> None:
    shards = [pod for pod in pods(rendered("prod-live")) if pod.component == service]

    places = [pod.spec["containers"][0]["args"][-2:] for pod in shards]
    assert places == [["--shard-index", str(place)] for place in range(count)]
    assert len({pod.name for pod in shards}) == len({pod.labels["gpt-trader/shard"] for pod in shards}) == count


@pytest.mark.parametrize(("value", "component"), [
    ({"riskGate": {"reconcileSeconds": 31}}, "risk-gate"),
    ({"policy": {"profile": "dev"}}, "risk-gate"),
    ({"executor": {"drainSeconds": 26}}, "executor"),
    ({"products": [{"id": "BTC-USD", "tier": "T2"}]}, "market-data"),
    ({"strategy": {"signalTtlSeconds": 31}}, "strategy"),
    ({"learning": {"batchSeconds": 61}}, "learning"),
    ({"lab": {"pieceSeconds": 61}}, "lab"),
])  # fmt: skip
def test_a_changed_setting_restarts_its_service_and_no_other(value: Json, component: str) -> None:
    home = home_of(component)
    before, after = checksums(rendered(home)), checksums(rendered(home, value))

    assert {name for name in before if before[name] != after[name]} == {component}


def test_without_workers_nothing_of_the_lab_is_installed_but_its_credential() -> None:
    named = [one["metadata"]["name"] for one in rendered("defaults") if one["metadata"]["name"] == f"{NAME}-lab"]
    (role,) = of_kind(rendered("defaults"), "Role")

    assert named == []
    assert f"{NAME}-bus-lab" in role["rules"][1]["resourceNames"], "the bus server knows its public key from the start"


@pytest.mark.parametrize(("profile", "kind", "replicas"), [
    ("lab-fixed", None, 2), ("lab-hpa", "HorizontalPodAutoscaler", None), ("lab", "ScaledObject", None),
    ("lab-external", "ScaledObject", None),
])  # fmt: skip
def test_the_number_of_workers_is_said_once(profile: str, kind: str | None, replicas: int | None) -> None:
    objects = rendered(profile)
    (workers,) = (one for one in of_kind(objects, "Deployment") if one["metadata"]["name"] == f"{NAME}-lab")
    scalers = [one["kind"] for one in objects if one["kind"] in {"HorizontalPodAutoscaler", "ScaledObject"}]

    assert workers["spec"].get("replicas") == replicas
    assert scalers == ([] if kind is None else [kind])
    assert yaml.safe_load(configuration(objects, "lab")["app.yaml"])["lab"] == {"piece_seconds": 1800}


def test_keda_asks_for_the_consumer_that_the_workers_read() -> None:
    (durable,) = (one for one in DURABLES if one.zone is Zone.LAB)
    asked = {
        profile: of_kind(rendered(profile), "ScaledObject")[0]["spec"]["triggers"][0]["metadata"]
        for profile in ("lab", "lab-external")
    }

    assert asked["lab"] == {
        "natsServerMonitoringEndpoint": f"{NAME}-nats.trading.svc:8222",
        "useHttps": "false",
        "account": account_name(Zone.GATE),
        "stream": durable.stream,
        "consumer": durable.name,
        "lagThreshold": "2",
    }
    assert asked["lab-external"] == {**asked["lab"], "natsServerMonitoringEndpoint": "bus.example:8222"}
    questions = {edge for edge in permitted(rendered("lab")) if edge.source == KEDA}
    assert [(edge.peer, edge.port) for edge in questions] == [("nats", "8222/TCP")]


def test_a_rotation_restarts_every_pod_that_reads_a_secret_of_ours() -> None:
    before, after = rotations(rendered("defaults")), rotations(rendered("defaults", {"credentials": {"rotation": 1}}))

    assert set(before.values()) == {"0"}
    assert set(after.values()) == {"1"}
    assert set(before) == {"risk-gate", "executor", "market-data", "strategy", "learning", "nats", "redis"}


def rotations(objects: list[Json]) -> Json:
    templates = [one["spec"]["template"]["metadata"] for one in objects if one["kind"] in {"Deployment", "StatefulSet"}]
    return {
        one["labels"]["app.kubernetes.io/component"]: one["annotations"]["gpt-trader/credentials-rotation"]
        for one in templates
        if "gpt-trader/credentials-rotation" in one.get("annotations", {})
    }


def test_another_chart_version_alone_restarts_nothing() -> None:
    for pod in pods(rendered("defaults")):
        if pod.is_lasting:
            assert not [name for name in pod.labels if "version" in name or "chart" in name]


def test_the_exchange_of_the_demo_survives_every_change_but_its_own() -> None:
    """Its books are in memory: a restart would lose the demo's positions."""
    changes: list[Json] = [
        {"riskGate": {"reconcileSeconds": 31}},
        {"telemetry": {"logLevel": "debug"}},
        {"strategy": {"signalTtlSeconds": 31}},
        {"policy": {"profile": "dev"}},
        {"credentials": {"rotation": 1}},
    ]
    before = exchange(rendered("defaults"))

    assert all(exchange(rendered("defaults", change)) == before for change in changes)


def checksums(objects: list[Json]) -> Json:
    templates = [one["spec"]["template"]["metadata"] for one in objects if one["kind"] in {"Deployment", "StatefulSet"}]
    return {
        one["labels"]["app.kubernetes.io/component"]: one["annotations"]["checksum/configuration"]
        for one in templates
        if "checksum/configuration" in one.get("annotations", {})
    }


def exchange(objects: list[Json]) -> Json:
    found: Json = next(one for one in objects if one["metadata"]["name"] == f"{NAME}-exchange-sim")["spec"]
    return found


def test_the_notes_say_how_this_release_is_killed_and_what_an_uninstall_leaves() -> None:
    notes = templates(values_of("defaults"))["gpt-trader/templates/NOTES.txt"]

    assert "nats --server nats://127.0.0.1:4222 --nkey operator.nk pub control.kill now" in notes
    assert f"get secret {NAME}-bus-operator" in notes
    assert f"create configmap {NAME}-kill --from-literal=KILL=now" in notes
    assert f"annotate pod {NAME}-risk-gate-0 --overwrite kill=" in notes
    assert "kubectl -n trading port-forward svc/rel-gpt-trader-nats 4222:4222 &" in notes
    assert "delete pvc,secret -l app.kubernetes.io/name=gpt-trader,app.kubernetes.io/instance=rel" in notes
    assert "REAL MONEY" not in notes
    assert "IT TRADES REAL MONEY" in templates(values_of("canary", LIVE))["gpt-trader/templates/NOTES.txt"]


def test_monitoring_objects_come_only_when_asked_for() -> None:
    asked = {"metrics": {"podMonitor": {"enabled": True}, "prometheusRule": {"enabled": True},
                         "dashboards": {"enabled": True}}}  # fmt: skip
    alerts, dashboards = ([*CHART.glob(f"files/{kind}")] for kind in ("alerts/*.yaml", "dashboards/*.json"))

    silent, loud = rendered("defaults"), rendered("defaults", asked)

    assert not FOREIGN & {one["kind"] for one in silent}
    (monitor,) = of_kind(loud, "PodMonitor")
    assert monitor["spec"]["podMetricsEndpoints"][0]["relabelings"][0]["targetLabel"] == "service"
    assert len(of_kind(loud, "PrometheusRule")) == len(alerts)
    found = [one for one in of_kind(loud, "ConfigMap") if one["metadata"]["labels"].get("grafana_dashboard") == "1"]
    assert len(found) == len(dashboards)
    assert all(json.loads(text) for one in found for text in one["data"].values())


def test_a_rule_sees_this_releases_namespace_alone() -> None:
    """`absent` of a gate that died would be silent while the gate of another release lives."""
    (rules,) = [
        one for one in of_kind(rendered("prod-live"), "PrometheusRule") if one["metadata"]["name"] == f"{NAME}-gate"
    ]
    expressions = {rule["alert"]: rule["expr"] for rule in reversed(rules["spec"]["groups"][0]["rules"])}
    ours = yaml.safe_load((CHART / "files/alerts/gate.yaml").read_text())["groups"][0]["rules"]

    assert expressions["gate_down"] == 'absent(risk_gate_trading_state{namespace="trading"})'
    assert expressions["kill_active"] == 'max(risk_gate_trading_state{namespace="trading",status="halted"}) == 1'
    for rule in (rule for one in of_kind(rendered("prod-live"), "PrometheusRule")
                 for group in one["spec"]["groups"] for rule in group["rules"]):  # fmt: skip
        metrics = re.findall(r"\b(?:risk_gate|executor|market_data|bus|service)_[a-z_]+", rule["expr"])
        assert rule["expr"].count('{namespace="trading"') == len(metrics) > 0
    assert [rule["annotations"] for rule in ours] == [
        rule["annotations"] for rule in rules["spec"]["groups"][0]["rules"]
    ]


def test_pods_are_found_by_a_monitor_or_by_annotations_never_by_both() -> None:
    served = {"risk-gate", "executor", "market-data", "strategy", "learning", "exchange-sim"}

    assert annotated(rendered("defaults")) == served
    assert annotated(rendered("defaults", {"metrics": {"podMonitor": {"enabled": True}}})) == set()
    (monitor,) = of_kind(rendered("defaults", {"metrics": {"podMonitor": {"enabled": True}}}), "PodMonitor")
    chosen = monitor["spec"]["selector"]["matchLabels"]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    monitored = {
        pod.component
        for pod in pods(rendered("defaults"))
        if chosen.items() <= pod.labels.items()
        and any(port["name"] == endpoint["port"] for one in pod.containers for port in one.get("ports", []))
    }
    assert monitored == served
    scraped = {edge.peer for edge in permitted(rendered("defaults")) if edge.source == MONITORING}
    assert scraped == served


def annotated(objects: list[Json]) -> set[str]:
    templates = [one["spec"]["template"]["metadata"] for one in objects if one["kind"] in {"Deployment", "StatefulSet"}]
    return {
        one["labels"]["app.kubernetes.io/component"]
        for one in templates
        if one.get("annotations", {}).get("prometheus.io/scrape") == "true"
    }


@pytest.mark.parametrize(
    ("profile", "venue"), [("defaults", "simulated"), ("paper", "paper"), ("dry-run", "real"), ("prod-live", "real")]
)
def test_the_journals_volume_says_whose_positions_are_on_it(profile: str, venue: str) -> None:
    sets = {one["metadata"]["name"]: one["spec"] for one in of_kind(rendered(profile), "StatefulSet")}
    (state,) = sets[f"{NAME}-risk-gate"]["volumeClaimTemplates"]

    assert state["metadata"]["annotations"] == {"gpt-trader/venue": venue}


def test_no_registry_is_named_anywhere() -> None:
    """Images are plain names: which registry serves them is the operator's choice."""
    for path in (ROOT / "deploy/helm").rglob("*.yaml"):
        assert "docker.io" not in path.read_text(), path


def test_a_registry_and_a_tag_reach_every_image_of_ours() -> None:
    image = {"image": {"registry": "images.example.com", "tag": "1.2.3"}}

    used = {one["image"] for pod in pods(rendered("defaults", image)) for one in pod.containers}

    ours = {one for one in used if not one.startswith(("nats:", "valkey/"))}
    assert ours == {
        f"images.example.com/gpt-trader/{service}:1.2.3"
        for service in ("risk-gate", "executor", "market-data", "strategy", "learning", "exchange-sim", "tools")
    }
