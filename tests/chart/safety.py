"""What must hold for the objects of a release: each rule returns what breaks it, and nothing if it holds."""

import re
from collections.abc import Callable, Iterator

import yaml
from network import Edge, half_open, permitted
from rendered import NAME, Json, Pod, configuration, of_kind, pods, secrets_of, variables_of

Rule = Callable[[list[Json]], list[str]]

BUS = "nats"
DNS = "(kubernetes.io/metadata.name=kube-system, k8s-app=kube-dns)"
MONITORING = "(kubernetes.io/metadata.name=monitoring)"
SERVICES = ("risk-gate", "executor", "market-data", "strategy", "learning", "lab")
KEDA = "(kubernetes.io/metadata.name=keda)"
_SCALED = ("ScaledObject", "ScaledJob")
_SECRET_TEXT = re.compile(r"PRIVATE KEY|\bSU[A-Z2-7]{56}\b|://[^/\s@]+@")


def only_the_gate_sees_its_secrets(objects: list[Json]) -> list[str]:
    private = {f"{NAME}-gate", f"{NAME}-venue-key", "coinbase", "store", f"{NAME}-bus-risk-gate"}
    return [
        f"{pod.name} sees {secret}"
        for pod in pods(objects)
        for secret in sorted(secrets_of(pod) & private)
        if pod.component != "risk-gate"
    ]


def the_gate_sees_what_it_needs(objects: list[Json]) -> list[str]:
    seen = set[str]().union(*(secrets_of(pod) for pod in pods(objects) if pod.component == "risk-gate"))
    key = {f"{NAME}-venue-key", "coinbase"}
    wanted = {f"{NAME}-gate", f"{NAME}-bus-risk-gate"}
    return [f"risk-gate does not see {one}" for one in sorted(wanted - seen)] + (
        [] if seen & key else ["risk-gate sees no venue key"]
    )


def each_zone_has_its_own_seed(objects: list[Json]) -> list[str]:
    """Let a lasting pod see the seed of its own zone and no other; the operator's is in none."""
    return [
        f"{pod.name} sees {secret}"
        for pod in pods(objects)
        if pod.is_lasting
        for secret in sorted(secrets_of(pod))
        if secret.startswith(f"{NAME}-bus-")
        and secret != f"{NAME}-bus-{pod.component}"
        and (pod.component, secret) != (BUS, f"{NAME}-bus-server")
    ]


def there_is_exactly_one_gate(objects: list[Json]) -> list[str]:
    return _one_stateful("risk-gate", objects)


def there_is_exactly_one_executor(objects: list[Json]) -> list[str]:
    return _one_stateful("executor", objects)


def _one_stateful(component: str, objects: list[Json]) -> list[str]:
    found = [pod for pod in pods(objects) if pod.component == component]
    if [(pod.kind, pod.replicas) for pod in found] == [("StatefulSet", 1)]:
        return []
    return [f"{component}: {[(pod.kind, pod.name, pod.replicas) for pod in found]}, not one StatefulSet of one"]


def no_pod_holds_a_token(objects: list[Json]) -> list[str]:
    """Except the bootstrap alone, which is gone when its hook is done."""
    pods_with = [
        f"{pod.name} mounts a token"
        for pod in pods(objects)
        if pod.component != "bootstrap" and pod.spec.get("automountServiceAccountToken") is not False
    ]
    accounts = [
        f"ServiceAccount {one['metadata']['name']} hands out tokens"
        for one in of_kind(objects, "ServiceAccount")
        if one.get("automountServiceAccountToken") is not False
    ]
    projected = [
        f"{pod.name} projects a token"
        for pod in pods(objects)
        for volume in pod.spec.get("volumes", [])
        for source in volume.get("projected", {}).get("sources", [])
        if "serviceAccountToken" in source
    ]
    return pods_with + accounts + projected


def each_pod_has_its_own_account(objects: list[Json]) -> list[str]:
    accounts = {one["metadata"]["name"] for one in of_kind(objects, "ServiceAccount")}
    return [
        f"{pod.name} runs as {pod.spec.get('serviceAccountName', 'default')}"
        for pod in pods(objects)
        if pod.spec.get("serviceAccountName") not in accounts
    ]


def nobody_is_root(objects: list[Json]) -> list[str]:
    return [
        f"{pod.name}: runAsNonRoot is not set, or the user is {user}"
        for pod in pods(objects)
        for context in [
            pod.spec.get("securityContext", {}),
            *(one.get("securityContext", {}) for one in pod.containers),
        ]
        for user in [context.get("runAsUser", pod.spec.get("securityContext", {}).get("runAsUser"))]
        if not pod.spec.get("securityContext", {}).get("runAsNonRoot") or not user or user < 10000
    ]


def root_file_systems_are_read_only(objects: list[Json]) -> list[str]:
    return [
        f"{pod.name}/{one['name']} may write its root file system"
        for pod in pods(objects)
        for one in pod.containers
        if one.get("securityContext", {}).get("readOnlyRootFilesystem") is not True
    ]


def nobody_has_privileges(objects: list[Json]) -> list[str]:
    """Pod Security `restricted`, and no path of the node."""
    return [finding for pod in pods(objects) for finding in _privileges(pod)]


def _privileges(pod: Pod) -> Iterator[str]:
    if pod.spec.get("securityContext", {}).get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield f"{pod.name}: no seccomp profile"
    yield from (f"{pod.name}: {word}" for word in ("hostNetwork", "hostPID", "hostIPC") if pod.spec.get(word))
    for volume in pod.spec.get("volumes", []):
        if not set(volume) & {"configMap", "secret", "projected", "emptyDir", "persistentVolumeClaim"}:
            yield f"{pod.name}: volume {volume}"
    for one in pod.containers:
        context = one.get("securityContext", {})
        if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
            yield f"{pod.name}/{one['name']} may gain privileges"
        if context.get("capabilities") != {"drop": ["ALL"]}:
            yield f"{pod.name}/{one['name']} keeps capabilities"
        if any("hostPort" in port for port in one.get("ports", [])):
            yield f"{pod.name}/{one['name']} takes a port of the node"


def every_container_is_limited(objects: list[Json]) -> list[str]:
    return [
        f"{pod.name}/{one['name']} has no {kind} of {what}"
        for pod in pods(objects)
        for one in pod.containers
        for kind in ("requests", "limits")
        for what in ("cpu", "memory")
        if what not in one.get("resources", {}).get(kind, {})
    ]


def lasting_pods_are_probed(objects: list[Json]) -> list[str]:
    return [
        f"{pod.name}/{one['name']} has no {probe}"
        for pod in pods(objects)
        if pod.is_lasting
        for one in pod.spec["containers"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
        if probe not in one
    ]


def no_probe_restarts_for_the_venues_sake(objects: list[Json]) -> list[str]:
    """Let only a process that answers nothing be restarted: what it waits for is its readiness."""
    wanted = {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    return [
        f"{pod.name}: {probe} asks {one.get(probe, {}).get('httpGet', {}).get('path')}"
        for pod in pods(objects)
        if pod.is_lasting and pod.component in {*SERVICES, "exchange-sim"}
        for one in pod.spec["containers"]
        for probe, path in wanted.items()
        if one.get(probe, {}).get("httpGet") != {"path": path, "port": "http"}
    ]


def secrets_come_as_files(objects: list[Json]) -> list[str]:
    """Variables are inherited and printed: only public keys and the demo's first moment may be one."""
    public = {f"{NAME}-public", f"{NAME}-bus-server"}
    return [
        f"{pod.name}/{one['name']} reads {name} from a variable"
        for pod in pods(objects)
        for one in pod.containers
        for name in sorted(variables_of(one) - public)
    ]


def state_outlives_its_pod(objects: list[Json]) -> list[str]:
    """Keep the volumes of journals, streams and feedback when pods, sets or the release are deleted."""
    keepers = {"risk-gate", "executor", "nats", "redis"}
    sets = {one["metadata"]["name"].removeprefix(f"{NAME}-"): one["spec"] for one in of_kind(objects, "StatefulSet")}
    lost = [name for name, spec in sets.items() if name in keepers and not spec.get("volumeClaimTemplates")]
    lost += [name for name, spec in sets.items() if "persistentVolumeClaimRetentionPolicy" in spec]
    claims = of_kind(objects, "PersistentVolumeClaim")
    return lost + [
        one["metadata"]["name"]
        for one in claims
        if one["metadata"].get("annotations", {}).get("helm.sh/resource-policy") != "keep"
    ]


def nothing_scales_what_must_be_one(objects: list[Json]) -> list[str]:
    """Only workers that share a queue are as many as somebody likes: an autoscaler names them, and they no number."""
    scalers = [one for one in objects if one["kind"] in {"HorizontalPodAutoscaler", "VerticalPodAutoscaler", *_SCALED}]
    lab = {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"{NAME}-lab"}
    fixed = {
        one["metadata"]["name"]
        for one in objects
        if one["kind"] in {"Deployment", "StatefulSet"} and "replicas" in one["spec"]
    }
    wrong = [one for one in scalers if one.get("spec", {}).get("scaleTargetRef") != lab or lab["name"] in fixed]
    return [f"{one['kind']} {one['metadata']['name']}" for one in wrong] + [
        f"{len(scalers)} autoscalers" for _ in scalers[1:]
    ]


def a_refused_start_is_told(objects: list[Json]) -> list[str]:
    """Make the sentence with which a service refuses the pod's termination message."""
    return [
        f"{pod.name}/{one['name']}: {one.get('terminationMessagePolicy')}"
        for pod in pods(objects)
        for one in pod.containers
        if one.get("terminationMessagePolicy") != "FallbackToLogsOnError"
    ]


def images_have_a_fixed_tag(objects: list[Json]) -> list[str]:
    images = {(pod.name, one["image"]) for pod in pods(objects) for one in pod.containers}
    return sorted(f"{name} runs {image}" for name, image in images if not re.search(r":(?!latest$)[\w.-]+$", image))


def no_object_carries_a_secret(objects: list[Json]) -> list[str]:
    return [
        f"{one['kind']} {one['metadata']['name']} carries a secret"
        for one in objects
        if one["kind"] == "Secret" or _SECRET_TEXT.search(yaml.safe_dump(one))
    ]


def only_the_gate_reads_the_policy(objects: list[Json]) -> list[str]:
    holders = {one["metadata"]["name"] for one in of_kind(objects, "ConfigMap") if "policy.yaml" in one["data"]}
    return [
        f"{pod.name} reads {name}"
        for pod in pods(objects)
        for name in sorted(holders & _config_maps(pod))
        if pod.component != "risk-gate"
    ]


def _config_maps(pod: Pod) -> set[str]:
    volumes = pod.spec.get("volumes", [])
    direct = {one["configMap"]["name"] for one in volumes if "configMap" in one}
    sources = [source for one in volumes for source in one.get("projected", {}).get("sources", [])]
    return direct | {one["configMap"]["name"] for one in sources if "configMap" in one}


def everything_is_denied_by_default(objects: list[Json]) -> list[str]:
    denials = [
        one["spec"]["podSelector"]["matchLabels"]
        for one in of_kind(objects, "NetworkPolicy")
        if set(one["spec"]["policyTypes"]) == {"Ingress", "Egress"} and not {"ingress", "egress"} & set(one["spec"])
    ]
    return [
        f"{pod.name} is not denied by default"
        for pod in pods(objects)
        if pod.component != "bootstrap"  # its policy is a hook beside it
        and not any(labels.items() <= pod.labels.items() and len(labels) == 2 for labels in denials)
    ]


def both_ends_agree(objects: list[Json]) -> list[str]:
    return half_open(objects)


def only_gate_and_market_data_reach_the_venue(objects: list[Json]) -> list[str]:
    return [
        f"{edge.source} may reach {edge.peer}:{edge.port}"
        for edge in sorted(permitted(objects))
        if _is_venue(edge) and edge.source not in {"risk-gate", "market-data"}
    ]


def paper_and_the_real_venue_meet_in_market_data_alone(objects: list[Json]) -> list[str]:
    """In paper, as in the demo, orders can reach the simulated exchange only: by configuration, key and network."""
    if mode_of(objects) not in {"demo", "paper"}:
        return []
    told = yaml.safe_load(configuration(objects, "risk-gate")["app.yaml"])["risk-gate"]
    keys = set[str]().union(*(secrets_of(pod) for pod in pods(objects))) & {"coinbase"}
    outside = [edge for edge in sorted(permitted(objects)) if edge.source == "risk-gate" and _is_anywhere(edge)]
    ours = f"{NAME}-exchange-sim:8443"
    return [
        *(f"the gate's {name} is {told[name]}" for name in ("venue_rest", "venue_ws") if ours not in told[name]),
        *(f"{key} is mounted" for key in sorted(keys)),
        *(f"the gate may reach {edge.peer}:{edge.port}" for edge in outside),
    ]


def each_shard_is_there_once(objects: list[Json]) -> list[str]:
    """Let every product have exactly one process: a shard that lacks has products that nobody follows or decides on."""
    found = []
    for service in ("market-data", "strategy"):
        count = yaml.safe_load(configuration(objects, service)["app.yaml"])[service]["shard_count"]
        places = sorted(
            int(words[words.index("--shard-index") + 1])
            for pod in pods(objects)
            if pod.component == service
            for words in [pod.spec["containers"][0]["args"]]
        )
        found += [] if places == [*range(count)] else [f"{service}: shards {places} of {count}"]
    return found


def mode_of(objects: list[Json]) -> str:
    return str(yaml.safe_load(configuration(objects, "risk-gate")["app.yaml"])["risk-gate"]["mode"])


def _is_venue(edge: Edge) -> bool:
    is_scrape = (edge.source, edge.port) == (MONITORING, "8080/TCP")
    return (edge.peer == "exchange-sim" and not is_scrape) or (_is_anywhere(edge) and edge.source != "bootstrap")


def _is_anywhere(edge: Edge) -> bool:
    return edge.peer.startswith("(") and ("0.0.0.0/0" in edge.peer or edge.peer == "(any address)")


def nobody_reaches_more_than_listed(objects: list[Json]) -> list[str]:
    """Let the executor reach the bus and the egress; strategy and learning the bus; in paper the exchange too."""
    allowed: dict[str, set[tuple[str, str]]] = {
        "executor": {(BUS, "4222/TCP"), ("risk-gate", "8443/TCP")},
        "strategy": {(BUS, "4222/TCP")},
        "learning": {(BUS, "4222/TCP")},
        "lab": {(BUS, "4222/TCP")},
        "provision": {(BUS, "4222/TCP")},
        "test-bus": {(BUS, "4222/TCP")},
        "test-order": {(BUS, "4222/TCP")},
        "test-gate": {("risk-gate", "8080/TCP")},
        "exchange-sim": set(),
        "redis": set(),
    }
    everyone = {(DNS, "53/UDP"), (DNS, "53/TCP"), (MONITORING, "4318/TCP"), ("(192.0.2.1/32)", "4222/TCP")}
    silent = {"exchange-sim", "redis"}
    if mode_of(objects) == "paper":
        allowed["exchange-sim"] = {(BUS, "4222/TCP")}
        silent = {"redis"}
    return [
        f"{edge.source} may reach {edge.peer}:{edge.port}"
        for edge in sorted(permitted(objects))
        if edge.source in allowed
        and (edge.peer, edge.port) not in allowed[edge.source] | (set() if edge.source in silent else everyone)
    ]


def only_named_peers_come_in(objects: list[Json]) -> list[str]:
    """From outside the release nothing comes in but the scrape of metrics, and KEDA's question where it is wanted."""
    asks = {(KEDA, BUS, "8222/TCP")} if of_kind(objects, "ScaledObject") else set()
    outside = asks | {(MONITORING, pod.component, "8080/TCP") for pod in pods(objects)}
    asked_for_prices = [("market-data", "8443/TCP")] if mode_of(objects) == "demo" else []
    allowed = {
        "redis": {("risk-gate", "6379/TCP")},
        "exchange-sim": {("risk-gate", "8443/TCP"), *asked_for_prices},
        "risk-gate": {("executor", "8443/TCP"), ("test-gate", "8080/TCP")},
    }
    return [
        f"{edge.source} may reach {edge.peer}:{edge.port}"
        for edge in sorted(permitted(objects))
        if (edge.source.startswith("(") and (edge.source, edge.peer, edge.port) not in outside)
        or (
            edge.peer in allowed
            and not edge.source.startswith("(")
            and (edge.source, edge.port) not in allowed[edge.peer]
        )
    ]


def the_bootstrap_touches_only_our_secrets(objects: list[Json]) -> list[str]:
    rules = [rule for role in of_kind(objects, "Role") for rule in role["rules"]]
    broad = [one["metadata"]["name"] for one in objects if one["kind"].startswith("ClusterRole")]
    return broad + [
        f"{rule['verbs']} on {rule['resources']} {rule.get('resourceNames', 'of any name')}"
        for rule in rules
        if rule["resources"] != ["secrets"]
        or (rule["verbs"] != ["create"] and not rule.get("resourceNames"))
        or not set(rule["verbs"]) <= {"create", "get", "patch"}
        or not all(name.startswith(f"{NAME}-") for name in rule.get("resourceNames", []))
    ]


def a_stop_is_given_its_time(objects: list[Json]) -> list[str]:
    grace = {pod.component: pod.spec.get("terminationGracePeriodSeconds", 0) for pod in pods(objects) if pod.is_lasting}
    drain = yaml.safe_load(configuration(objects, "executor")["app.yaml"])["executor"]["drain_seconds"]
    wanted = {"executor": drain + 10, "risk-gate": 30, BUS: 30}
    return [
        f"{component} is killed after {grace[component]} s, needs {least}"
        for component, least in wanted.items()
        if component in grace and grace[component] < least
    ]


def two_never_publish_as_one(objects: list[Json]) -> list[str]:
    """Refuse rolling updates: they run the old and the new strategy, or two feeds of one product, side by side."""
    return [
        f"{one['metadata']['name']}: {one['spec'].get('strategy')}"
        for one in of_kind(objects, "Deployment")
        if one["metadata"]["name"] != f"{NAME}-lab"  # which publish what they made of a piece, whoever of them had it
        if one["spec"].get("strategy") != {"type": "Recreate"} or one["spec"].get("replicas") != 1
    ]


def the_mode_is_what_was_asked_for(objects: list[Json]) -> list[str]:
    """In demo no address of the real venue appears; live carries its confirmation."""
    told = yaml.safe_load(configuration(objects, "risk-gate")["app.yaml"])["risk-gate"]
    if told["mode"] == "live":
        return [] if told.get("confirm_live") == "YES" else ["live without confirmation"]
    if "confirm_live" in told:
        return ["a confirmation lies ready where nothing is live"]
    texts = "".join(configuration(objects, service)["app.yaml"] for service in ("risk-gate", "market-data"))
    return ["a demo knows the real venue"] if told["mode"] == "demo" and "coinbase" in texts else []


RULES: tuple[Rule, ...] = (
    only_the_gate_sees_its_secrets, the_gate_sees_what_it_needs, each_zone_has_its_own_seed, there_is_exactly_one_gate,
    there_is_exactly_one_executor, no_pod_holds_a_token, each_pod_has_its_own_account, nobody_is_root,
    root_file_systems_are_read_only, nobody_has_privileges, every_container_is_limited, lasting_pods_are_probed,
    no_probe_restarts_for_the_venues_sake, secrets_come_as_files, state_outlives_its_pod,
    nothing_scales_what_must_be_one,
    a_refused_start_is_told, images_have_a_fixed_tag, no_object_carries_a_secret, only_the_gate_reads_the_policy,
    everything_is_denied_by_default, both_ends_agree, only_gate_and_market_data_reach_the_venue,
    nobody_reaches_more_than_listed, only_named_peers_come_in, the_bootstrap_touches_only_our_secrets,
    a_stop_is_given_its_time, two_never_publish_as_one, the_mode_is_what_was_asked_for,
    paper_and_the_real_venue_meet_in_market_data_alone, each_shard_is_there_once,
)  # fmt: skip
