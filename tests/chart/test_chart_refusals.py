"""A wrong value stops the rendering, and the message says where and why."""

import re

import helm_python
import pytest
from rendered import CHART, KEY, LIVE, NAME, Json, merged, templates

PROD = (CHART / "files/policies/prod.yaml").read_text()
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
BUS: Json = {"nats": {"external": {"url": "nats://bus:4222", "monitorUrl": "http://bus:8222"}}}
WRONG: list[tuple[str, Json, str]] = [
    ("live without confirmation", {**KEY, "mode": "live"}, 'needs confirmLive: "YES"'),
    ("live with a weak yes", {**LIVE, "confirmLive": "yes"}, "/confirmLive"),
    ("live without a Secret", {"mode": "live", "confirmLive": "YES"}, "needs venue.existingSecret"),
    ("live with the demo's limits", LIVE, "policy.profile: demo: those limits are for the simulated exchange"),
    ("dry run without a Secret", {"mode": "dry_run"}, "needs venue.existingSecret"),
    ("a confirmation lying ready", {"confirmLive": "YES"}, 'confirmLive is "YES" but mode is demo'),
    ("a key for the demo", KEY, "mode is demo, which needs no key"),
    ("a key for paper", {**KEY, "mode": "paper"}, "mode is paper, which needs no key"),
    ("paper with a confirmation", {"mode": "paper", "confirmLive": "YES"}, 'confirmLive is "YES" but mode is paper'),
    ("a future in paper", {"mode": "paper", "products": [{"id": "BTC-USD", "tier": "T1"},
     {"id": "BIP-20DEC30-CDE", "tier": "T1"}]}, "BIP-20DEC30-CDE is a future; mode: paper trades spot products only"),
    ("paper that follows itself", {"mode": "paper", "venue": {"rest": f"{NAME}-exchange-sim:8443"}},
     "this release's own simulated exchange: mode: paper would follow itself"),
    ("paper whose feed is its own", {"mode": "paper", "venue": {"feed": f"wss://{NAME}-exchange-sim:8443"}},
     "this release's own simulated exchange: mode: paper would follow itself"),
    ("an authority for the demo", {"venue": {"authority": PEM}}, "venue.authority is set but mode is demo"),
    ("an authority that is a key", {"mode": "paper", "venue": {"authority": PEM.replace("CERTIFICATE", "PRIVATE KEY")}},
     "/venue/authority"),
    ("money that is none", {"exchangeSim": {"balances": "a lot"}}, "/exchangeSim/balances"),
    ("a fee above all", {"exchangeSim": {"takerFee": 1}}, "/exchangeSim/takerFee"),
    ("an unknown mode", {"mode": "Live"}, "/mode"),
    ("a misspelled section", {"riskgate": {}}, "riskgate"),
    ("a misspelled value", {"riskGate": {"reconcileSecond": 1}}, "reconcileSecond"),
    ("a key in the values", {"venue": {"apiKey": "secret"}}, "apiKey"),
    ("two gates", {"riskGate": {"replicas": 2}}, "replicas"),
    ("a seed in the values", {"credentials": {"seed": "SU"}}, "seed"),
    ("a root user", {"riskGate": {"securityContext": {"runAsUser": 0}}}, "securityContext"),
    ("a text for a number", {"executor": {"reconcileSeconds": "often"}}, "/executor/reconcileSeconds"),
    ("a number out of range", {"executor": {"drainSeconds": 0}}, "/executor/drainSeconds"),
    ("two bus servers", {"nats": {"replicas": 2}}, "/nats/replicas"),
    ("a size without a unit", {"riskGate": {"persistence": {"size": "5"}}}, "/riskGate/persistence/size"),
    ("no limits", {"executor": {"resources": {"limits": {"cpu": "a lot"}}}}, "/executor/resources/limits/cpu"),
    ("a product that is none", {"products": [{"id": "bitcoin", "tier": "T1"}]}, "/products/0/id"),
    ("a tier that is none", {"products": [{"id": "BTC-USD", "tier": "A"}]}, "/products/0/tier"),
    ("no products", {"products": []}, "/products"),
    ("a product twice", {"products": [{"id": "BTC-USD", "tier": "T1"}, {"id": "BTC-USD", "tier": "T2"}]},
     "products: BTC-USD is listed twice"),
    ("futures alone", {"products": [{"id": "BIP-20DEC30-CDE", "tier": "T1"}]}, "needs at least one spot product"),
    ("more shards than products", {"marketData": {"shards": 7}}, "marketData.shards is 7 for 6 products"),
    ("an interval nobody builds", {"strategy": {"strategies": [{"strategy": "trend", "interval": "1h"}]}},
     "trend runs on 1h, which marketData.intervals does not build (1m, 5m)"),
    ("a venue with a path", {"venue": {"rest": "https://api.coinbase.com/v2"}}, "/venue/rest"),
    ("a feed without TLS", {"venue": {"feed": "ws://feed.example"}}, "/venue/feed"),
    ("a password in the store's address", {"redis": {"external": {"url": "redis://u:p@host:6379"}}},
     "/redis/external/url"),
    ("a bus without its monitor", {"nats": {"external": {"url": "nats://bus:4222"}}}, "nats.external.monitorUrl"),
    ("a bus without addresses", {"nats": {"external": {"url": "nats://bus:4222", "monitorUrl": "http://bus:8222"}}},
     "nats.external.cidrs"),
    ("a store without a password", {"redis": {"external": {"url": "redis://host:6379"}}},
     "redis.external.existingSecret"),
    ("a store without addresses", {"redis": {"external": {"url": "redis://host:6379", "existingSecret": "store"}}},
     "redis.external.cidrs"),
    ("two makers of Secrets", {"credentials": {"externalSecrets": {"enabled": True, "store": "vault"}}},
     "one of the two makes the Secrets"),
    ("External Secrets from nowhere", {"credentials": {"create": False, "externalSecrets": {"enabled": True}}},
     "credentials.externalSecrets.store"),
    ("everything open", {"networkPolicy": {"metricsFrom": []}}, "/networkPolicy/metricsFrom"),
    ("a policy that is none", {"policy": {"profile": "yolo"}}, "/policy/profile"),
    ("a log level that is none", {"telemetry": {"logLevel": "loud"}}, "/telemetry/logLevel"),
    ("a password in the bus's address", {"nats": {"external": {"url": "nats://u:p@bus:4222"}}}, "/nats/external/url"),
    ("a password in the monitor's address", {"nats": {"external": {"monitorUrl": "http://u:p@bus:8222"}}},
     "/nats/external/monitorUrl"),
    ("a password in the collector's address", {"telemetry": {"otlpEndpoint": "https://u:p@traces.example/v1"}},
     "/telemetry/otlpEndpoint"),
    ("a tag that moves", {"image": {"tag": "latest"}}, "/image/tag"),
    ("a gate of a tag that moves", {"riskGate": {"image": "mine/risk-gate:latest"}}, "/riskGate/image"),
    ("a gate without a tag", {"riskGate": {"image": "host:5000/mine/risk-gate"}}, "/riskGate/image"),
    ("a bus server without a tag", {"nats": {"image": "nats"}}, "/nats/image"),
    ("an image that is more than one", {"redis": {"image": "valkey/valkey:8\nhostNetwork: true"}}, "/redis/image"),
    ("a command that is more than one", {"nats": {"command": "nats-server, --config"}}, "/nats/command"),
    ("a store that is more than a name",
     {"credentials": {"create": False, "externalSecrets": {"enabled": True, "store": "a, kind: ClusterSecretStore"}}},
     "/credentials/externalSecrets/store"),
    ("a name that no Service may have", {"fullnameOverride": "1st"}, "/fullnameOverride"),
    ("a bus at any address", merged(BUS, {"nats": {"external": {"cidrs": ["0.0.0.0/0"]}}}),
     "/nats/external/cidrs/0"),
    ("a store in half of the world", {"redis": {"external": {"cidrs": ["128.0.0.0/1"]}}}, "/redis/external/cidrs/0"),
    ("a collector at any address", {"networkPolicy": {"otlpTo": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}},
     "/networkPolicy/otlpTo/0/ipBlock/cidr"),
    ("traces to every namespace", {"networkPolicy": {"otlpTo": [{"namespaceSelector": {}}]}},
     "/networkPolicy/otlpTo/0/namespaceSelector"),
    ("metrics for every pod", {"networkPolicy": {"metricsFrom": [{"podSelector": {}}]}},
     "/networkPolicy/metricsFrom/0/podSelector"),
    ("live without NetworkPolicies",
     {**LIVE, "policy": {"profile": "canary"}, "networkPolicy": {"enabled": False}}, "networkPolicy.enabled is false"),
    ("live with the demo's limits as text", {**LIVE, "policy": {"profile": "prod", "content": "profile: demo"}},
     "those limits are for the simulated exchange"),
    ("a policy that is no map", {"policy": {"content": "limits"}}, "policy.content"),
    ("a policy without its limits", {"policy": {"content": "profile: prod"}}, "policy.content lacks"),
    ("a policy without one limit", {"policy": {"content": PROD.replace("  max_order_notional:", "  max_oder:")}},
     "policy.content lacks limits.max_order_notional"),
    ("a strategy that nobody wrote", {"strategy": {"strategies": [{"strategy": "trendy"}]}},
     "strategy.strategies: trendy is none of those in the image"),
    ("a strategy's product that nobody follows",
     {"strategy": {"strategies": [{"strategy": "trend", "products": ["BTC-EUR"]}]}},
     "strategy.strategies: trend trades BTC-EUR, which products does not list"),
    ("an interval that no candle has", {"marketData": {"intervals": ["99999m"]}}, "/marketData/intervals/0"),
    ("more strategies than products", {"strategy": {"shards": 7}}, "strategy.shards is 7 for 6 products"),
    ("a setting that is none", {"riskGate": {"settings": {"listed_second": 3}}}, "listed_second"),
    ("a setting out of its bounds", {"riskGate": {"settings": {"listed_seconds": 0}}},
     "/riskGate/settings/listed_seconds"),
    ("a setting that is the chart's own", {"riskGate": {"settings": {"mode": "live"}}}, "mode"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "reason"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_a_wrong_value_is_refused_with_place_and_reason(values: Json, reason: str) -> None:
    with pytest.raises(helm_python.HelmError, match=re.escape(reason)):
        templates(values)


def test_live_renders_once_everything_is_said() -> None:
    said = merged(LIVE, {"policy": {"profile": "canary"}})

    assert "mode: live" in templates(said)["gpt-trader/templates/configuration.yaml"]
