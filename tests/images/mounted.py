"""What a chart mounts into the services' pods: credentials, configuration and limits, here in one folder."""

import io
import tarfile
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import yaml
from containers import FILES, NOBODY, STATE

from gpt_trader.console.stack.certificates import issue
from gpt_trader.console.stack.policies import Profile, shipped_policy
from gpt_trader.contracts.subjects import Zone
from gpt_trader.runtime.infrastructure import keys, nats_config, redis_config
from gpt_trader.runtime.secret_files import write_secret
from gpt_trader.runtime.signing import Signer, generate_seed


def secrets(folder: Path) -> None:
    """Make every credential, and the configuration of bus and store that knows their public halves."""
    config = nats_config.NatsConfig(
        listen="0.0.0.0:4222",
        monitor="0.0.0.0:8222",
        store_dir=PurePosixPath(STATE),
        public_keys={zone: keys.create_nkey(folder / f"{zone}.nk") for zone in Zone},
        provisioner_key=keys.create_nkey(folder / "provisioner.nk"),
        system_key=keys.create_nkey(folder / "system.nk"),
    )
    (folder / "nats.conf").write_text(nats_config.render(config))
    hashes = {user: keys.ensure_password(folder / f"{user}.password") for user in redis_config.USERS}
    (folder / "users.acl").write_text(redis_config.render_acl(hashes))
    store = redis_config.RedisConfig(
        host="0.0.0.0", port=6379, store_dir=PurePosixPath(STATE), acl_file=PurePosixPath(f"{FILES}/users.acl")
    )
    (folder / "redis.conf").write_text(redis_config.render(store))
    write_secret(folder / "signing.seed", generate_seed())
    (folder / "gate.pub").write_text(Signer.load(folder / "signing.seed", key_id="gate-1").public_key)
    egress = issue("gpt-trader run", ("risk-gate",), datetime.now(UTC))
    (folder / "egress-ca.crt").write_text(egress.authority)
    (folder / "egress.crt").write_text(egress.certificate)
    write_secret(folder / "egress.key", egress.key)


def profile(folder: Path) -> None:
    """Say what a chart's ConfigMap says: where everything is."""
    venue = {"venue_ws": "wss://exchange-sim:8443", "venue_ca_file": "/var/run/exchange/ca.pem"}
    sections: dict[str, dict[str, object]] = {
        "market-data": {
            **venue,
            "venue_rest": "https://exchange-sim:8443",
            "products": ["BTC-USD", "ETH-USD"],
            "universe_file": f"{FILES}/universe.yaml",
            "intervals": ["1m"],
        },
        "strategy": {"strategies": [{"strategy": "trend", "interval": "1m"}]},
        "risk-gate": {
            **venue,
            "mode": "demo",
            "venue_rest": "exchange-sim:8443",
            "policy_file": f"{FILES}/policy.yaml",
            "journal_dir": f"{STATE}/journal",
            "signing_seed_file": f"{FILES}/signing.seed",
            "egress_host": "0.0.0.0",
            "egress_certificate_file": f"{FILES}/egress.crt",
            "egress_key_file": f"{FILES}/egress.key",
            "cdp_key_file": "/var/run/exchange/cdp_key.json",
            "redis_url": "redis://redis:6379",
            "redis_password_file": f"{FILES}/risk-gate.password",
            "nats_monitor_url": "http://nats:8222",
        },
        "executor": {
            "egress": "risk-gate:8443",
            "egress_ca_file": f"{FILES}/egress-ca.crt",
            "gate_public_key_file": f"{FILES}/gate.pub",
            "gate_key_id": "gate-1",
            "journal_dir": f"{STATE}/journal",
        },
        "learning": {"store_dir": f"{STATE}/store"},
    }
    for service, section in sections.items():
        section["nats_seed_file"] = f"{FILES}/{service}.nk"
    shared = {"nats_url": "nats://nats:4222", "health_host": "0.0.0.0", "health_port": 8080}
    (folder / "app.yaml").write_text(yaml.safe_dump({"runtime": shared, **sections}))
    (folder / "universe.yaml").write_text(yaml.safe_dump({"products": {"BTC-USD": "T1", "ETH-USD": "T1"}}))
    (folder / "policy.yaml").write_text(shipped_policy(Profile.DEMO).read_text())


def packed(folder: Path) -> bytes:
    """Pack a folder as files that only the services' user can read."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(folder.iterdir()):
            entry = archive.gettarinfo(path, path.name)
            entry.uid = entry.gid = NOBODY
            entry.uname = entry.gname = ""
            entry.mode = 0o400
            with path.open("rb") as content:
                archive.addfile(entry, content)
    return buffer.getvalue()
