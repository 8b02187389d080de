"""A network of containers: the built images beside a real bus and store, started as a cluster would start them."""

import os
import time
import tomllib
import urllib.error
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import docker
from docker.models.containers import Container
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
PREFIX = os.environ.get("IMAGES_PREFIX", "gpt-trader")
TAG = os.environ.get("IMAGES_TAG", VERSION)
NATS = os.environ.get("NATS_IMAGE", "nats:2.12-alpine")
VALKEY = os.environ.get("VALKEY_IMAGE", "valkey/valkey:8-alpine")
ON_THE_BUS = ("market-data", "strategy", "risk-gate", "executor", "learning")
FILES, STATE = "/etc/gpt-trader", "/var/lib/gpt-trader"
NOBODY = 10001
WRITABLE = "mode=1777"
WITHIN = 60.0


def image(service: str) -> str:
    return f"{PREFIX}/{service}:{TAG}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A service in its container; `started_at` is when the engine was asked to start it."""

    service: str
    container: DockerContainer
    started_at: float
    times: dict[str, float] = field(default_factory=dict)

    @property
    def inside(self) -> Container:
        return self.container.get_wrapped_container()

    def get(self, path: str) -> tuple[int, str]:
        """Ask its health server; status 0: nobody listens yet."""
        url = f"http://127.0.0.1:{self.container.get_exposed_port(8080)}{path}"
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def seconds_until(self, path: str) -> float:
        """Wait for 200 and return the seconds since the start."""
        while True:
            status, body = self.get(path)
            waited = time.monotonic() - self.started_at
            if status == 200:
                self.times.setdefault(path, round(waited, 2))
                return waited
            log = b"".join(self.container.get_logs()).decode()[-3000:]
            assert waited < WITHIN, f"{self.service}: {path} answers {status} {body}\n{log}"
            time.sleep(0.02)

    def run(self, *argv: str) -> str:
        return self.container.exec(list(argv)).output.decode()


@dataclass(slots=True, kw_only=True)
class Installation:
    """A network with a volume of configuration and secrets, and another that the exchange writes."""

    client: docker.DockerClient
    network: Network
    files: str
    exchange: str
    opened: ExitStack = field(repr=False)

    def start(self, service: str, *argv: str, volume: str | None = None) -> Running:
        """Start a service as a cluster would: nobody's user, no rights, a root file system that can't be written."""
        container = (
            DockerContainer(image(service))
            .with_network(self.network)
            .with_network_aliases(service)
            .with_command(list(argv))
            .with_volume_mapping(self.files, FILES, "ro")
            .with_volume_mapping(self.exchange, "/var/run/exchange", "ro")
            .with_volume_mapping(volume or self.fresh_volume(), STATE, "rw")
            .with_exposed_ports(8080)
            .with_tmpfs_mount("/tmp", WRITABLE)  # noqa: S108 - the container's own
            .with_kwargs(hostname=service, read_only=True, cap_drop=["ALL"], security_opt=["no-new-privileges"])
        )
        return self.launched(service, container)

    def fresh_volume(self) -> str:
        """Make an empty volume; it belongs to whom the image gives the folder under it."""
        volume = self.client.volumes.create()
        self.opened.callback(volume.remove, force=True)
        return str(volume.name)

    def launched(self, service: str, container: DockerContainer) -> Running:
        started_at = time.monotonic()
        self.opened.enter_context(container)
        return Running(service=service, container=container, started_at=started_at)

    def server(self, name: str, image_name: str, *argv: str) -> None:
        """Start the bus or the store, whose state is gone with it."""
        container = (
            DockerContainer(image_name)
            .with_network(self.network)
            .with_network_aliases(name)
            .with_command(list(argv))
            .with_volume_mapping(self.files, FILES, "ro")
            .with_tmpfs_mount(STATE, WRITABLE)
            .with_kwargs(user=str(NOBODY))
        )
        self.launched(name, container)

    def once(self, entry: list[str], *argv: str) -> tuple[int, str]:
        """Run a command of the tools image to its end."""
        container = self.client.containers.create(
            image("tools"),
            entrypoint=entry,
            command=list(argv),
            network=self.network.name,
            volumes={self.files: {"bind": FILES, "mode": "ro"}},
            read_only=True,
        )
        try:
            container.start()
            return container.wait(timeout=60)["StatusCode"], container.logs().decode()
        finally:
            container.remove(force=True)
