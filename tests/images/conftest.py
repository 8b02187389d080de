"""The built images, running.

They need a container engine (Docker, or podman's service with DOCKER_HOST naming its socket) and the images of `make
images`; without either the tests are skipped and say which is missing.
"""

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import docker
import pytest
from containers import FILES, NATS, ON_THE_BUS, ROOT, STATE, VALKEY, Installation, Running, image
from mounted import packed, profile, secrets
from testcontainers.core.config import testcontainers_config
from testcontainers.core.network import Network


def answers(address: str) -> bool:
    """Tell whether anybody listens there, before a client is made that does not let go of its socket."""
    scheme, _, place = address.partition("://")
    host, _, port = place.rpartition(":")
    kind, target = (socket.AF_UNIX, place) if scheme == "unix" else (socket.AF_INET, (host, int(port)))
    with socket.socket(kind) as probe:
        return probe.connect_ex(target) == 0


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """Give the container engine that answers, with all images in it."""
    testcontainers_config.ryuk_disabled = True  # the fixtures take down what they start
    if not answers(where := os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")):
        pytest.skip(f"no container engine answers at {where}: start Docker, or podman's service and set DOCKER_HOST")
    client = docker.from_env()
    for service in (*ON_THE_BUS, "exchange-sim", "tools"):
        try:
            client.images.get(image(service))
        except docker.errors.ImageNotFound:
            client.close()
            pytest.skip(f"{image(service)} is not built: make images")
    yield client
    client.close()


@pytest.fixture(scope="session")
def installation(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Start bus, store and exchange once for all tests, with streams provisioned."""
    folder = tmp_path_factory.mktemp("files")
    secrets(folder)
    profile(folder)
    with ExitStack() as opened:
        volumes = [engine.volumes.create(f"gpt-trader-{what}-{os.getpid()}") for what in ("files", "exchange")]
        for volume in volumes:
            opened.callback(volume.remove, force=True)
        filler = engine.containers.create(image("tools"), volumes={volumes[0].name: {"bind": FILES, "mode": "rw"}})
        filler.put_archive(FILES, packed(folder))
        filler.remove()
        network = opened.enter_context(Network())
        installed = Installation(
            client=engine, network=network, files=volumes[0].name, exchange=volumes[1].name, opened=opened
        )
        installed.server("nats", NATS, "--config", f"{FILES}/nats.conf")
        installed.server("redis", VALKEY, "valkey-server", f"{FILES}/redis.conf")
        provision(installed)
        yield installed


def provision(installed: Installation) -> None:
    entry = ["python3", "-m", "gpt_trader.runtime.infrastructure.provision"]
    options = ["--nats-url", "nats://nats:4222", "--nats-seed-file", f"{FILES}/provisioner.nk"]
    for _ in range(20):
        code, said = installed.once(entry, *options)
        if code == 0:
            return
        time.sleep(0.5)
    pytest.fail(f"the streams were not provisioned: {said}")


@pytest.fixture(scope="session")
def demo(installation: Installation) -> Iterator[Mapping[str, Running]]:
    """Start everything, one after the other, so that each has the machine to itself; times go to var/images.json."""
    started = {
        "exchange-sim": installation.start(
            "exchange-sim", "--host", "exchange-sim", "--port", "8443", "--aliases", "exchange-sim:8443",
            "--health-host", "0.0.0.0", "--health-port", "8080", "--state-dir", STATE, volume=installation.exchange,
        )
    }  # fmt: skip
    started["exchange-sim"].seconds_until("/livez")
    started["exchange-sim"].seconds_until("/readyz")
    for service in ON_THE_BUS:
        started[service] = installation.start(service, "--profile", f"{FILES}/app.yaml")
        started[service].seconds_until("/livez")
    ready_at = time.monotonic()
    for one in started.values():
        one.seconds_until("/readyz")
    together = round(time.monotonic() - ready_at, 2)
    yield started
    found = {service: one.times["/livez"] for service, one in started.items()}
    times = ROOT / "var/images.json"
    times.parent.mkdir(exist_ok=True)
    times.write_text(json.dumps({"all ready after": together, **found}, indent=2) + "\n")
