"""Every rule holds for every profile, and is seen failing when somebody breaks it."""

from collections.abc import Callable
from typing import Any

import pytest
import safety
from rendered import NAME, PROFILES, Json, of_kind, rendered
from safety import RULES, Rule

Sabotage = Callable[[list[Json]], None]


def workload(objects: list[Json], component: str) -> Json:
    return next(
        one
        for one in objects
        if one["kind"] in {"Deployment", "StatefulSet"} and one["metadata"]["name"] == f"{NAME}-{component}"
    )


def pod_of(objects: list[Json], component: str) -> Json:
    spec: Json = workload(objects, component)["spec"]["template"]["spec"]
    return spec


def policy(objects: list[Json], component: str) -> Json:
    found: Json = next(
        one for one in of_kind(objects, "NetworkPolicy") if one["metadata"]["name"] == f"{NAME}-{component}"
    )
    return found


def container(objects: list[Json], component: str) -> Json:
    found: Json = pod_of(objects, component)["containers"][0]
    return found


def mounting(component: str, secret: str) -> Sabotage:
    return lambda objects: pod_of(objects, component)["volumes"].append({"name": "x", "secret": {"secretName": secret}})


def as_variable(component: str, secret: str) -> Sabotage:
    source = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": secret, "key": "cdp_key.json"}}}
    return lambda objects: container(objects, component).setdefault("env", []).append(source)


def without(component: str, name: str) -> Sabotage:
    return lambda objects: container(objects, component).pop(name)


def setting(component: str, name: str, value: Any) -> Sabotage:
    return lambda objects: pod_of(objects, component).__setitem__(name, value)


def secured(component: str, name: str, value: Any) -> Sabotage:
    return lambda objects: container(objects, component)["securityContext"].__setitem__(name, value)


def reaching(component: str, peer: Json, port: int = 443) -> Sabotage:
    rule = {"to": [peer], "ports": [{"port": port, "protocol": "TCP"}]}
    return lambda objects: policy(objects, component)["spec"].setdefault("egress", []).append(rule)


def letting_in(component: str, peer: Json, port: int) -> Sabotage:
    rule = {"from": [peer], "ports": [{"port": port, "protocol": "TCP"}]}
    return lambda objects: policy(objects, component)["spec"].setdefault("ingress", []).append(rule)


def both(*steps: Sabotage) -> Sabotage:
    def run(objects: list[Json]) -> None:
        for step in steps:
            step(objects)

    return run


def second(component: str) -> Sabotage:
    def run(objects: list[Json]) -> None:
        one = workload(objects, component)
        objects.append({**one, "metadata": {**one["metadata"], "name": f"{one['metadata']['name']}-b"}})

    return run


def removed(kind: str, name: str) -> Sabotage:
    def run(objects: list[Json]) -> None:
        objects[:] = [one for one in objects if (one["kind"], one["metadata"]["name"]) != (kind, name)]

    return run


def told(service: str, old: str, new: str) -> Sabotage:
    def run(objects: list[Json]) -> None:
        for one in of_kind(objects, "ConfigMap"):
            if one["metadata"]["name"] == f"{NAME}-{service}":
                assert old in one["data"]["app.yaml"]
                one["data"]["app.yaml"] = one["data"]["app.yaml"].replace(old, new)

    return run


def role(rules: list[Json]) -> Sabotage:
    return lambda objects: of_kind(objects, "Role")[0].__setitem__("rules", rules)


def peer(component: str) -> Json:
    labels = {"app.kubernetes.io/name": "gpt-trader", "app.kubernetes.io/component": component}
    return {"podSelector": {"matchLabels": labels}}


ANYWHERE = {"ipBlock": {"cidr": "0.0.0.0/0"}}
EVERY_NAMESPACE = {"namespaceSelector": {}}
KEDA = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "keda"}}}

SABOTAGES: list[tuple[Rule, str, Sabotage]] = [
    (safety.only_the_gate_sees_its_secrets, "executor mounts the gate's Secret", mounting("executor", f"{NAME}-gate")),
    (safety.only_the_gate_sees_its_secrets, "strategy mounts the venue key", mounting("strategy", f"{NAME}-venue-key")),
    (safety.only_the_gate_sees_its_secrets, "learning has it as variable", as_variable("learning", f"{NAME}-gate")),
    (safety.only_the_gate_sees_its_secrets, "market-data mounts a key", mounting("market-data", "coinbase")),
    (safety.the_gate_sees_what_it_needs, "the gate without its volume", setting("risk-gate", "volumes", [])),
    (safety.each_zone_has_its_own_seed, "strategy has the gate's seed", mounting("strategy", f"{NAME}-bus-risk-gate")),
    (safety.each_zone_has_its_own_seed, "executor has the operator's", mounting("executor", f"{NAME}-bus-operator")),
    (safety.there_is_exactly_one_gate, "two replicas", lambda o: workload(o, "risk-gate")["spec"].update(replicas=2)),
    (safety.there_is_exactly_one_gate, "a second gate", second("risk-gate")),
    (safety.there_is_exactly_one_gate, "a Deployment", lambda o: workload(o, "risk-gate").update(kind="Deployment")),
    (safety.there_is_exactly_one_gate, "no gate", removed("StatefulSet", f"{NAME}-risk-gate")),
    (safety.there_is_exactly_one_executor, "two", lambda o: workload(o, "executor")["spec"].update(replicas=2)),
    (safety.no_pod_holds_a_token, "a pod's token", setting("strategy", "automountServiceAccountToken", True)),
    (safety.no_pod_holds_a_token, "an account's", lambda o: of_kind(o, "ServiceAccount")[-1].pop(
        "automountServiceAccountToken")),
    (safety.no_pod_holds_a_token, "a projected one", lambda o: pod_of(o, "executor")["volumes"].append(
        {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}})),
    (safety.each_pod_has_its_own_account, "the default account", setting("executor", "serviceAccountName", "default")),
    (safety.nobody_is_root, "runAsUser 0", lambda o: pod_of(o, "nats")["securityContext"].update(runAsUser=0)),
    (safety.nobody_is_root, "not said", lambda o: pod_of(o, "redis")["securityContext"].pop("runAsNonRoot")),
    (safety.nobody_is_root, "a container's user 0", secured("risk-gate", "runAsUser", 0)),
    (safety.root_file_systems_are_read_only, "writable", secured("executor", "readOnlyRootFilesystem", False)),
    (safety.nobody_has_privileges, "privileged", secured("risk-gate", "privileged", True)),
    (safety.nobody_has_privileges, "escalation", secured("nats", "allowPrivilegeEscalation", True)),
    (safety.nobody_has_privileges, "a capability", secured("redis", "capabilities", {"add": ["SYS_TIME"]})),
    (safety.nobody_has_privileges, "the node's network", setting("market-data", "hostNetwork", True)),
    (safety.nobody_has_privileges, "no seccomp", lambda o: pod_of(o, "learning")["securityContext"].pop(
        "seccompProfile")),
    (safety.nobody_has_privileges, "the node's files", lambda o: pod_of(o, "strategy")["volumes"].append(
        {"name": "n", "hostPath": {"path": "/"}})),
    (safety.nobody_has_privileges, "a port of the node", lambda o: container(o, "risk-gate")["ports"][0].update(
        hostPort=1)),
    (safety.every_container_is_limited, "no resources", without("strategy", "resources")),
    (safety.every_container_is_limited, "an unlimited wait", lambda o: pod_of(o, "risk-gate")["initContainers"][0].pop(
        "resources")),
    (safety.lasting_pods_are_probed, "no readiness", without("risk-gate", "readinessProbe")),
    (safety.lasting_pods_are_probed, "no startup", without("redis", "startupProbe")),
    (safety.no_probe_restarts_for_the_venues_sake, "alive means ready", lambda o: container(o, "risk-gate").update(
        livenessProbe=container(o, "risk-gate")["readinessProbe"])),
    (safety.no_probe_restarts_for_the_venues_sake, "started means ready", lambda o: container(o, "executor").update(
        startupProbe=container(o, "executor")["readinessProbe"])),
    (safety.secrets_come_as_files, "the gate's key as variable", as_variable("risk-gate", f"{NAME}-venue-key")),
    (safety.secrets_come_as_files, "all of a Secret", lambda o: container(o, "risk-gate").update(
        envFrom=[{"secretRef": {"name": f"{NAME}-gate"}}])),
    (safety.state_outlives_its_pod, "a journal on no volume", lambda o: workload(o, "risk-gate")["spec"].pop(
        "volumeClaimTemplates")),
    (safety.state_outlives_its_pod, "streams deleted with the set", lambda o: workload(o, "nats")["spec"].update(
        persistentVolumeClaimRetentionPolicy={"whenDeleted": "Delete"})),
    (safety.state_outlives_its_pod, "feedback deleted with the release", lambda o: of_kind(
        o, "PersistentVolumeClaim")[0]["metadata"].pop("annotations")),
    (safety.nothing_scales_what_must_be_one, "an autoscaler of the gate", lambda o: o.append(
        {"kind": "HorizontalPodAutoscaler", "metadata": {"name": f"{NAME}-risk-gate"}})),
    (safety.nothing_scales_what_must_be_one, "an autoscaler of the strategy, by KEDA", lambda o: o.append(
        {"kind": "ScaledObject", "metadata": {"name": f"{NAME}-strategy"}, "spec": {"scaleTargetRef": {
            "apiVersion": "apps/v1", "kind": "Deployment", "name": f"{NAME}-strategy"}}})),
    (safety.no_object_carries_a_secret, "a password in an address", told("risk-gate", "nats://", "nats://u:p@")),
    (safety.only_named_peers_come_in, "from everybody, said with an empty list", lambda o: policy(
        o, "nats")["spec"]["ingress"].append({"from": [], "ports": [{"port": 4222, "protocol": "TCP"}]})),
    (safety.only_gate_and_market_data_reach_the_venue, "to everybody, said with an empty list", lambda o: policy(
        o, "strategy")["spec"]["egress"].append({"to": [], "ports": [{"port": 443, "protocol": "TCP"}]})),
    (safety.a_refused_start_is_told, "a silent refusal", without("risk-gate", "terminationMessagePolicy")),
    (safety.images_have_a_fixed_tag, "latest", lambda o: container(o, "nats").update(image="nats:latest")),
    (safety.images_have_a_fixed_tag, "no tag", lambda o: container(o, "executor").update(image="gpt-trader/executor")),
    (safety.no_object_carries_a_secret, "a Secret in the chart", lambda o: o.append(
        {"kind": "Secret", "metadata": {"name": "s"}})),
    (safety.no_object_carries_a_secret, "a seed in a ConfigMap", lambda o: of_kind(o, "ConfigMap")[0]["data"].update(
        seed="SU" + "A" * 56)),
    (safety.only_the_gate_reads_the_policy, "executor reads it", lambda o: pod_of(o, "executor")["volumes"].append(
        {"name": "p", "configMap": {"name": f"{NAME}-risk-gate"}})),
    (safety.everything_is_denied_by_default, "no denial", removed("NetworkPolicy", f"{NAME}-default-deny")),
    (safety.everything_is_denied_by_default, "egress forgotten", lambda o: policy(o, "default-deny")["spec"].update(
        policyTypes=["Ingress"])),
    (safety.both_ends_agree, "the bus lets nobody in", lambda o: policy(o, "nats")["spec"].update(ingress=[])),
    (safety.only_gate_and_market_data_reach_the_venue, "strategy to anywhere", reaching("strategy", ANYWHERE)),
    (safety.only_gate_and_market_data_reach_the_venue, "executor, at both ends", both(
        reaching("executor", peer("exchange-sim"), 8443), letting_in("exchange-sim", peer("executor"), 8443))),
    (safety.only_gate_and_market_data_reach_the_venue, "learning has no policy", both(
        removed("NetworkPolicy", f"{NAME}-learning"), removed("NetworkPolicy", f"{NAME}-default-deny"))),
    (safety.nobody_reaches_more_than_listed, "executor to a namespace", reaching("executor", EVERY_NAMESPACE)),
    (safety.nobody_reaches_more_than_listed, "strategy to the store", both(
        reaching("strategy", peer("redis"), 6379), letting_in("redis", peer("strategy"), 6379))),
    (safety.nobody_reaches_more_than_listed, "the exchange to anywhere", reaching("exchange-sim", ANYWHERE)),
    (safety.only_named_peers_come_in, "every namespace to the bus", letting_in("nats", EVERY_NAMESPACE, 4222)),
    (safety.only_named_peers_come_in, "everybody to the egress", letting_in("risk-gate", ANYWHERE, 8443)),
    (safety.only_named_peers_come_in, "executor to the store", both(
        reaching("executor", peer("redis"), 6379), letting_in("redis", peer("executor"), 6379))),
    (safety.the_bootstrap_touches_only_our_secrets, "reads all", role(
        [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}])),
    (safety.the_bootstrap_touches_only_our_secrets, "deletes", role(
        [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["delete"], "resourceNames": [f"{NAME}-gate"]}])),
    (safety.the_bootstrap_touches_only_our_secrets, "pods as well", role(
        [{"apiGroups": [""], "resources": ["pods"], "verbs": ["create"]}])),
    (safety.the_bootstrap_touches_only_our_secrets, "a ClusterRole", lambda o: o.append(
        {"kind": "ClusterRole", "metadata": {"name": "c"}})),
    (safety.a_stop_is_given_its_time, "killed in its drain", setting("executor", "terminationGracePeriodSeconds", 9)),
    (safety.two_never_publish_as_one, "a rolling update", lambda o: workload(o, "strategy")["spec"].update(
        strategy={"type": "RollingUpdate"})),
    (safety.two_never_publish_as_one, "two feeds", lambda o: workload(o, "market-data")["spec"].update(replicas=2)),
    (safety.the_mode_is_what_was_asked_for, "a demo at the real venue", told(
        "risk-gate", f"{NAME}-exchange-sim:8443", "api.coinbase.com")),
    (safety.the_mode_is_what_was_asked_for, "live unconfirmed", told("risk-gate", "mode: demo", "mode: live")),
    (safety.the_mode_is_what_was_asked_for, "a confirmation in the demo", told(
        "risk-gate", "mode: demo", 'mode: demo\n  confirm_live: "YES"')),
    (safety.each_shard_is_there_once, "a shard twice", second("strategy")),
    (safety.each_shard_is_there_once, "a shard that nobody is", told("strategy", "shard_count: 1", "shard_count: 2")),
    (safety.each_shard_is_there_once, "no feed", removed("Deployment", f"{NAME}-market-data")),
]  # fmt: skip

IN_PAPER: list[tuple[Rule, str, Sabotage]] = [
    (safety.paper_and_the_real_venue_meet_in_market_data_alone, "orders to the real venue", told(
        "risk-gate", f"venue_rest: {NAME}-exchange-sim:8443", "venue_rest: api.coinbase.com")),
    (safety.paper_and_the_real_venue_meet_in_market_data_alone, "its user channel", told(
        "risk-gate", f"wss://{NAME}-exchange-sim:8443", "wss://advanced-trade-ws-user.coinbase.com")),
    (safety.paper_and_the_real_venue_meet_in_market_data_alone, "its key", mounting("risk-gate", "coinbase")),
    (safety.paper_and_the_real_venue_meet_in_market_data_alone, "the way to it", reaching("risk-gate", ANYWHERE)),
    (safety.only_gate_and_market_data_reach_the_venue, "the exchange reads the prices itself", reaching(
        "exchange-sim", ANYWHERE)),
    (safety.nobody_reaches_more_than_listed, "the exchange to the egress", both(
        reaching("exchange-sim", peer("risk-gate"), 8443), letting_in("risk-gate", peer("exchange-sim"), 8443))),
    (safety.only_named_peers_come_in, "the feed asks the exchange", both(
        reaching("market-data", peer("exchange-sim"), 8443), letting_in("exchange-sim", peer("market-data"), 8443))),
    (safety.each_zone_has_its_own_seed, "the exchange has the strategy's seed", mounting(
        "exchange-sim", f"{NAME}-bus-strategy")),
]  # fmt: skip


WITH_WORKERS: list[tuple[Rule, str, Sabotage]] = [
    (safety.each_zone_has_its_own_seed, "a worker has the operator's seed", mounting("lab", f"{NAME}-bus-operator")),
    (safety.only_the_gate_sees_its_secrets, "a worker mounts the venue key", mounting("lab", f"{NAME}-venue-key")),
    (safety.nothing_scales_what_must_be_one, "the workers' autoscaler looks at the gate", lambda o: of_kind(
        o, "ScaledObject")[0]["spec"]["scaleTargetRef"].update(name=f"{NAME}-risk-gate")),
    (safety.nothing_scales_what_must_be_one, "a number beside the autoscaler", lambda o: workload(
        o, "lab")["spec"].update(replicas=1)),
    (safety.nothing_scales_what_must_be_one, "two autoscalers", lambda o: o.append(of_kind(o, "ScaledObject")[0])),
    (safety.nobody_reaches_more_than_listed, "a worker reaches the egress", both(
        reaching("lab", peer("risk-gate"), 8443), letting_in("risk-gate", peer("lab"), 8443))),
    (safety.only_gate_and_market_data_reach_the_venue, "a worker reaches anywhere", reaching("lab", ANYWHERE)),
    (safety.only_named_peers_come_in, "KEDA speaks on the bus", letting_in("nats", KEDA, 4222)),
    (safety.only_named_peers_come_in, "KEDA's question is let in unasked", both(
        removed("ScaledObject", f"{NAME}-lab"))),
    (safety.no_probe_restarts_for_the_venues_sake, "alive means ready", lambda o: container(o, "lab").update(
        livenessProbe=container(o, "lab")["readinessProbe"])),
]  # fmt: skip


BROKEN = [
    *(("defaults", *row) for row in SABOTAGES),
    *(("paper", *row) for row in IN_PAPER),
    *(("lab", *row) for row in WITH_WORKERS),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("profile", PROFILES)
def test_the_rule_holds_in_every_profile(profile: str, rule: Rule) -> None:
    assert rule(rendered(profile)) == []


@pytest.mark.parametrize(
    ("profile", "rule", "what", "sabotage"), BROKEN, ids=[f"{rule.__name__}: {what}" for _, rule, what, _ in BROKEN]
)
def test_the_rule_refuses_a_sabotage(profile: str, rule: Rule, what: str, sabotage: Sabotage) -> None:
    objects = rendered(profile)
    assert rule(objects) == [], what

    sabotage(objects)

    assert rule(objects)


def test_every_rule_was_seen_failing() -> None:
    assert {rule for _, rule, _, _ in BROKEN} == set(RULES)
