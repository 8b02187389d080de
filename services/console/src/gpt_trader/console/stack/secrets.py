"""Makes a run's credentials: one per trust zone, each readable by its owner alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gpt_trader.console.stack.certificates import make_egress_certificate
from gpt_trader.console.stack.folder import RunFolder
from gpt_trader.console.stack.plan import Ports
from gpt_trader.contracts.subjects import Zone
from gpt_trader.runtime.infrastructure import redis_config
from gpt_trader.runtime.infrastructure.keys import ensure_nkey, ensure_password
from gpt_trader.runtime.infrastructure.nats_config import NatsConfig, render
from gpt_trader.runtime.secret_files import write_secret
from gpt_trader.runtime.signing import Signer, generate_seed

GATE_KEY_ID = "gate-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Public halves and password hashes; the private halves stay in their owners' folders."""

    public_keys: Mapping[Zone, str]
    provisioner_key: str
    provisioner_seed: Path
    system_key: str
    redis_hashes: Mapping[str, str]

    def write_nats(self, folder: Path, ports: Ports) -> Path:
        """Write the bus server's configuration and return its path."""
        config = NatsConfig(
            listen=f"127.0.0.1:{ports.nats}",
            monitor=f"127.0.0.1:{ports.nats_monitor}",
            store_dir=folder / "store",
            public_keys=self.public_keys,
            provisioner_key=self.provisioner_key,
            system_key=self.system_key,
        )
        path = folder / "nats-server.conf"
        path.write_text(render(config))
        return path

    def write_redis(self, folder: Path, ports: Ports) -> Path:
        """Write the state store's configuration and users, and return the configuration's path."""
        acl = folder / "users.acl"
        write_secret(acl, redis_config.render_acl(self.redis_hashes))
        path = folder / "redis.conf"
        config = redis_config.RedisConfig(host="127.0.0.1", port=ports.redis, store_dir=folder, acl_file=acl)
        path.write_text(redis_config.render(config))
        return path


def make_secrets(folder: RunFolder, now: datetime) -> Secrets:
    """Make what is missing of a run's credentials; what exists stays."""
    private = folder.of("risk-gate")
    seed = private / "signing.seed"
    if not seed.exists():
        write_secret(seed, generate_seed())
        make_egress_certificate(private, folder.root / "egress-ca.crt", now)
    (folder.root / "gate.pub").write_text(Signer.load(seed, key_id=GATE_KEY_ID).public_key)
    provisioner = folder.of("provisioner") / "provisioner.nk"
    return Secrets(
        public_keys={zone: ensure_nkey(folder.seed(zone)) for zone in Zone},
        provisioner_key=ensure_nkey(provisioner),
        provisioner_seed=provisioner,
        system_key=ensure_nkey(folder.of("system") / "system.nk"),
        redis_hashes={user: ensure_password(folder.of(user) / "redis.password") for user in redis_config.USERS},
    )
