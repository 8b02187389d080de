"""What the chart tells a service is what the service understands: a setting renamed in code fails here."""

import json
import re
from dataclasses import fields
from datetime import timedelta
from decimal import Decimal
from importlib.metadata import entry_points
from pathlib import Path, PurePath

import pytest
import yaml
from documents import BUS, STORE, bus_conf, store_conf
from rendered import CHART, PROFILES, Json, Pod, configuration, home_of, of_kind, pods, rendered
from settings_schema import MODELS, SCHEMA, SECTIONS, WITHHELD, choosable, running, said_by_the_chart, schema_text

from gpt_trader.console.cluster.credentials import Installation, completed, secret_names
from gpt_trader.exchange_sim.settings import Settings, parse
from gpt_trader.market_data.adapters.universe_file import tiers
from gpt_trader.market_data.settings import MarketDataSettings
from gpt_trader.risk_gate.settings import RiskGateSettings, load_policy
from gpt_trader.runtime.clock import SystemClock
from gpt_trader.runtime.settings import ServiceSettings, SettingsRefused, read
from gpt_trader.strategy.adapters.registry import GROUP, registered
from gpt_trader.strategy.settings import StrategySettings

AUTHORITY = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
ORIGIN = "2026-01-01T00:00:00+00:00"


def pod_named(objects: list[Json], component: str) -> Pod:
    return next(pod for pod in pods(objects) if pod.component == component and pod.is_lasting)


def read_as_the_pod_does(
    objects: list[Json], service: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> ServiceSettings:
    container = pod_named(objects, service).spec["containers"][0]
    for variable in container.get("env", []):
        assert variable["valueFrom"]["secretKeyRef"]["key"] == "clock-origin"
        monkeypatch.setenv(variable["name"], ORIGIN)
    profile = folder / "app.yaml"
    profile.write_text(configuration(objects, service)["app.yaml"])
    words = container["args"][1:] if service == "lab" else container["args"]  # it is a command among others
    arguments = [str(profile) if word == "/etc/gpt-trader/app.yaml" else word for word in words]
    return read(MODELS[service], service=service, argv=arguments)


@pytest.mark.parametrize(
    ("profile", "service"), [(profile, service) for profile in PROFILES for service in running(profile)]
)
def test_a_service_takes_what_it_is_told(
    profile: str, service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = read_as_the_pod_does(rendered(profile), service, tmp_path, monkeypatch)

    assert (settings.health_host, settings.health_port) == ("0.0.0.0", 8080)


@pytest.mark.parametrize("service", MODELS)
def test_a_setting_that_was_renamed_in_code_is_refused_here(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = rendered(home_of(service))
    own = configuration(objects, service)
    sections = yaml.safe_load(own["app.yaml"])
    name = next(iter(sections[service]))
    own["app.yaml"] = own["app.yaml"].replace(f"  {name}:", f"  {name}_of_old:")

    with pytest.raises(SettingsRefused, match=f"{name}_of_old is no setting"):
        read_as_the_pod_does(objects, service, tmp_path, monkeypatch)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_file_that_a_service_is_told_of_is_mounted(profile: str) -> None:
    objects = rendered(profile)
    for service in running(profile):
        container = pod_named(objects, service).spec["containers"][0]
        told = yaml.safe_load(configuration(objects, service)["app.yaml"])
        mounts = [PurePath(one["mountPath"]) for one in container["volumeMounts"]]
        files = [PurePath(value) for value in {**told["runtime"], **told[service]}.values() if str(value)[0] == "/"]

        assert files
        assert not [file for file in files if not any(mount in file.parents for mount in mounts)], service


@pytest.mark.parametrize("name", ["demo", "dev", "canary", "prod", "spot"])
def test_every_shipped_policy_reaches_the_gate_whole(name: str, tmp_path: Path) -> None:
    given = configuration(rendered("defaults", {"policy": {"profile": name}}), "risk-gate")["policy.yaml"]
    (tmp_path / "policy.yaml").write_text(given)

    policy = load_policy(tmp_path / "policy.yaml")

    assert policy == load_policy(CHART / f"files/policies/{name}.yaml")
    assert policy.profile == name


@pytest.mark.parametrize("profile", PROFILES)
def test_the_universe_and_the_strategies_are_real(
    profile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = rendered(profile)
    (tmp_path / "universe.yaml").write_text(configuration(objects, "market-data")["universe.yaml"])
    settings = read_as_the_pod_does(objects, "strategy", tmp_path, monkeypatch)

    assert isinstance(settings, StrategySettings)
    assert registered([one.strategy for one in settings.strategies])
    assert "BTC-USD" in tiers(tmp_path / "universe.yaml")


def test_the_strategies_that_the_chart_knows_are_those_in_the_image() -> None:
    said = re.search(r"none of those in the image \(([a-z, -]+)\)", (CHART / "templates/_refusals.tpl").read_text())
    assert said
    known = said.group(1).split(", ")

    assert sorted(point.name for point in entry_points(group=GROUP)) == known
    assert f"(list {' '.join(json.dumps(name) for name in known)})" in (CHART / "templates/_refusals.tpl").read_text()


def test_the_exchange_understands_its_command_line() -> None:
    container = pod_named(rendered("defaults"), "exchange-sim").spec["containers"][0]

    settings = parse([word.replace("$(CLOCK_ORIGIN)", ORIGIN) for word in container["args"]])

    assert settings.clock_rate == 30
    assert settings.products[0] == "BTC-USD"


def test_a_future_of_the_demo_has_its_wallet() -> None:
    both = {"products": [{"id": "BTC-USD", "tier": "T1"}, {"id": "BIP-20DEC30-CDE", "tier": "T1"}]}
    container = pod_named(rendered("defaults", both), "exchange-sim").spec["containers"][0]

    settings = parse([word.replace("$(CLOCK_ORIGIN)", ORIGIN) for word in container["args"]])

    assert (settings.products, settings.futures) == (("BTC-USD",), ("BIP-20DEC30-CDE",))
    assert settings.futures_wallet > 0


def test_the_names_in_the_certificates_are_those_that_are_called() -> None:
    objects = rendered("defaults")
    (bootstrap,) = (pod for pod in pods(objects) if pod.component == "bootstrap")
    words = bootstrap.spec["containers"][0]["args"]
    egress = yaml.safe_load(configuration(objects, "executor")["app.yaml"])["executor"]["egress"]
    venue = yaml.safe_load(configuration(objects, "risk-gate")["app.yaml"])["risk-gate"]["venue_rest"]

    assert f"--egress-name={egress.partition(':')[0]}" in words
    assert f"--exchange-name={venue.partition(':')[0]}" in words
    assert {f"{egress.partition(':')[0]}", f"{venue.partition(':')[0]}"} <= {
        one["metadata"]["name"] for one in of_kind(objects, "Service")
    }


@pytest.mark.parametrize(("profile", "exchange"), [("defaults", ("b",)), ("paper", ("b",)), ("dry-run", ())])
def test_the_bootstrap_asks_for_and_makes_exactly_the_secrets_it_may(profile: str, exchange: tuple[str, ...]) -> None:
    (role,) = of_kind(rendered(profile), "Role")
    installation = Installation(egress=("a",), exchange=exchange)
    may = set(role["rules"][1]["resourceNames"])

    assert {f"rel-gpt-trader-{short}" for short in secret_names(installation)} == may
    assert {f"rel-gpt-trader-{short}" for short in completed({}, installation, SystemClock().wall())} == may


def test_the_bus_in_the_cluster_has_the_rights_that_the_code_renders() -> None:
    assert BUS.read_text() == bus_conf(), "run `make chart-docs`"
    assert configuration(rendered("defaults"), "nats")["nats.conf"] == bus_conf()


def test_three_bus_servers_find_each_other() -> None:
    routes = [f"nats://rel-gpt-trader-nats-{number}.rel-gpt-trader-nats-peers:6222" for number in range(3)]

    assert configuration(rendered("prod-live"), "nats")["nats.conf"] == bus_conf(routes)


def test_the_store_in_the_cluster_is_configured_as_the_code_renders() -> None:
    assert STORE.read_text() == store_conf(), "run `make chart-docs`"
    assert configuration(rendered("defaults"), "redis")["redis.conf"] == store_conf()


def test_the_gate_of_a_dry_run_sends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read_as_the_pod_does(rendered("dry-run"), "risk-gate", tmp_path, monkeypatch)

    assert isinstance(settings, RiskGateSettings)
    assert settings.mode == "dry_run"


def test_paper_takes_the_real_venues_prices_to_a_simulated_exchange(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = rendered("paper", {"venue": {"authority": AUTHORITY}})
    gate = read_as_the_pod_does(objects, "risk-gate", tmp_path, monkeypatch)
    feed = read_as_the_pod_does(objects, "market-data", tmp_path, monkeypatch)
    exchange = parse(pod_named(objects, "exchange-sim").spec["containers"][0]["args"])

    assert isinstance(gate, RiskGateSettings)
    assert isinstance(feed, MarketDataSettings)
    assert (gate.mode, gate.venue_rest, gate.clock_origin) == ("paper", "rel-gpt-trader-exchange-sim:8443", None)
    assert (feed.venue_rest, str(feed.venue_ca_file)) == ("https://api.coinbase.com", "/etc/gpt-trader/venue-ca.pem")
    assert (exchange.follow, exchange.clock_rate, exchange.clock_start) == (gate.nats_url, Decimal(1), None)
    assert exchange.products == ("BTC-USD", "ETH-USD", "SOL-USD")
    assert configuration(objects, "market-data")["venue-ca.pem"].strip() == AUTHORITY.strip()


def test_the_schema_names_the_settings_that_the_code_has() -> None:
    assert SCHEMA.read_text() == schema_text(), "run `make chart-docs`"


@pytest.mark.parametrize("service", MODELS)
def test_every_setting_is_the_charts_or_can_be_chosen_or_has_a_reason(service: str) -> None:
    known = MODELS[service].model_fields.keys()
    groups = [
        said_by_the_chart(service) - WITHHELD[service].keys(),
        choosable(service).keys(),
        WITHHELD[service].keys(),
    ]

    assert set().union(*groups) == set(known)
    assert sum(map(len, groups)) == len(known)


@pytest.mark.parametrize("service", MODELS)
def test_every_setting_that_can_be_chosen_arrives(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = MODELS[service].model_fields
    chosen = {name: _other(shape, defaults[name].default) for name, shape in choosable(service).items()}
    section = SECTIONS.get(service, service)

    settings = read_as_the_pod_does(
        rendered(home_of(service), {section: {"settings": chosen}}), service, tmp_path, monkeypatch
    )

    told = settings.model_dump()
    assert all(told[name] != defaults[name].default for name in chosen)


def _other(shape: Json, default: object) -> object:
    """Choose a value within the bounds that is not the default."""
    if shape["type"] == "boolean":
        return not default
    least = shape.get("minimum", shape.get("exclusiveMinimum", 0))
    between = {"integer": 1, "number": 0.5}[shape["type"]]
    return next(value for value in (least + between, least + 2 * between) if not _is_equal(value, default))


def _is_equal(value: float, default: object) -> bool:
    return str(default) in {str(value), str(timedelta(seconds=value))}


_UNREACHED = {
    "admin_port": "the test hooks listen on the pod's loopback alone",
    "http_port": "nobody speaks to the venue without TLS",
    "key_kind": "the bootstrap makes the key",
    "aliases": "the names are those of its Service",
    **dict.fromkeys(("record", "repeat", "scenario"), "played on one machine: a pod has no file to play or to write"),
    **dict.fromkeys(("replay", "replay_from_start"), "the demo is a generated market, and paper a real one"),
    **dict.fromkeys(
        ("futures_maker_fee", "futures_taker_fee", "futures_contract_fee"),
        "the demo's fees are the venue's usual ones",
    ),
    **dict.fromkeys(
        ("latency_ms", "pending_ms", "visibility_ms", "cancel_ms", "profile", "deflate", "ws_idle_s", "private_limit",
         "public_limit", "single_use_nonce", "clock_skew_s", "spurious_401_rate"),
        "a variant of the protocol or a fault, for tests",
    ),
}  # fmt: skip
"""What of the simulated exchange no value reaches, with the reason."""


def test_every_setting_of_the_exchange_is_given_or_has_a_reason() -> None:
    both = {"products": [{"id": "BTC-USD", "tier": "T1"}, {"id": "BIP-20DEC30-CDE", "tier": "T1"}]}
    words = [
        word
        for objects in (rendered("defaults", both), rendered("paper"))
        for word in pod_named(objects, "exchange-sim").spec["containers"][0]["args"]
    ]
    given = {word.partition("=")[0].removeprefix("--").replace("-", "_") for word in words}

    assert given | _UNREACHED.keys() == {field.name for field in fields(Settings)}
    assert not given & _UNREACHED.keys()
