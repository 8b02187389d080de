"""What a built image promises: nobody's user, a root that can't be written, its own wheels, and words that help."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import docker
import pytest
from containers import ON_THE_BUS, ROOT, VERSION, Installation, Running, image
from packaging.requirements import Requirement

SERVICES = (*ON_THE_BUS, "lab", "exchange-sim", "tools")
LISTENING = (*ON_THE_BUS, "exchange-sim")
_INVENTORY = """
import json, platform, importlib.metadata as m
held = {one.name.lower().replace("_", "-"): one.version for one in m.distributions(path=["/opt/gpt-trader"])}
print(json.dumps({"python": platform.python_version(), "held": held}))
"""


def locked(service: str, python: str) -> dict[str, str]:
    """Name what an image's lock installs there, with the version."""
    environment = {"python_full_version": python, "python_version": python.rpartition(".")[0]}
    lines = (ROOT / f"deploy/docker/requirements/{service}.txt").read_text().splitlines()
    found = [Requirement(line.rstrip(" \\")) for line in lines if re.match(r"[a-z]", line)]
    return {one.name: str(one.specifier) for one in found if one.marker is None or one.marker.evaluate(environment)}


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_holds_its_own_dependencies_and_nothing_else(engine: docker.DockerClient, service: str) -> None:
    said = engine.containers.run(image(service), ["-c", _INVENTORY], entrypoint=["python3"], remove=True)
    inventory = json.loads(said)
    held: Mapping[str, str] = inventory["held"]

    ours = {name for name in held if name.startswith("gpt-trader-")}

    carried = {"strategy", "risk-gate", "executor", "learning"} if service == "lab" else set()
    members = {"contracts", "runtime", _member(service), *carried}
    assert ours == {f"gpt-trader-{member}" for member in members}
    assert {name: f"=={version}" for name, version in held.items() if name not in ours} == locked(
        service, inventory["python"]
    )


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_says_what_it_is_and_who_it_runs_as(engine: docker.DockerClient, service: str) -> None:
    config = engine.images.get(image(service)).attrs["Config"]

    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["python3", "/opt/gpt-trader"]
    assert config["Labels"]["org.opencontainers.image.title"] == f"gpt-trader/{service}"
    assert config["Labels"]["org.opencontainers.image.version"] == VERSION
    assert re.fullmatch(r"[0-9a-f]{40}", config["Labels"]["org.opencontainers.image.revision"])
    assert not [line for line in config["Env"] if re.search("TOKEN|PASSWORD|SECRET|SEED", line)]


@pytest.mark.parametrize("service", LISTENING)
def test_a_service_starts_as_nobody_on_a_read_only_root_and_answers(demo: Mapping[str, Running], service: str) -> None:
    running = demo[service]

    running.seconds_until("/livez")

    assert running.times["/livez"] < 20
    assert running.get("/livez") == (200, "alive\n")
    assert running.run("python3", "-c", "import os; print(os.getuid(), os.getgid())").strip() == "10001 10001"
    assert "Read-only file system" in running.run("python3", "-c", "open('/opt/gpt-trader/x', 'w')")


@pytest.mark.parametrize("service", LISTENING)
def test_services_in_containers_find_each_other_and_become_ready(demo: Mapping[str, Running], service: str) -> None:
    demo[service].seconds_until("/readyz")


@pytest.mark.parametrize("service", LISTENING)
def test_the_health_check_of_the_image_succeeds(demo: Mapping[str, Running], service: str) -> None:
    kind, *argv = demo[service].inside.attrs["Config"]["Healthcheck"]["Test"]
    demo[service].seconds_until("/livez")

    result = demo[service].container.exec(argv)

    assert kind == "CMD"
    assert result.exit_code == 0, result.output.decode()


@pytest.mark.parametrize("service", ON_THE_BUS)
def test_a_service_without_its_bus_credential_ends_and_says_what_to_do(
    installation: Installation, service: str
) -> None:
    missing = "/etc/gpt-trader/absent.nk"
    running = installation.start(service, "--profile", "/etc/gpt-trader/app.yaml", "--nats-seed-file", missing)

    code = running.inside.wait(timeout=60)["StatusCode"]

    said = running.inside.logs().decode()
    assert code == 2, said
    assert f"secret file {missing}: No such file or directory" in said
    assert "--nats-seed-file" in said


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_tells_its_options(engine: docker.DockerClient, service: str) -> None:
    said = engine.containers.run(image(service), ["--help"], remove=True, read_only=True).decode()

    assert "usage" in said.lower()


def _member(service: str) -> str:
    return "console" if service == "tools" else service


def test_the_base_image_is_an_argument_and_the_default_is_public() -> None:
    lines = Path(ROOT / "deploy/docker/Dockerfile").read_text().splitlines()

    assert "ARG BASE_IMAGE=python:3.11-slim" in lines
    stages = [line.split() for line in lines if line.startswith("FROM ")]
    own = {words[3] for words in stages if words[2:3] == ["AS"]} | {"with-${SOURCES}"}
    assert {words[1] for words in stages} - own == {"${BUILD_IMAGE}", "${BASE_IMAGE}"}
    assert stages[-1] == ["FROM", "${BASE_IMAGE}"]
