"""The store on the official Redis image, with our configuration and users; where a container engine runs."""

import hashlib
import os
from pathlib import Path

import pytest
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from gpt_trader.runtime.infrastructure import redis_config
from gpt_trader.runtime.secret_files import write_secret
from gpt_trader.runtime.store import Store


def engine_runs() -> bool:
    return "DOCKER_HOST" in os.environ or Path("/var/run/docker.sock").exists()


@pytest.mark.skipif(not engine_runs(), reason="no container engine answers here")
async def test_the_official_redis_image_takes_our_configuration(tmp_path: Path) -> None:
    hashes = {user: hashlib.sha256(user.encode()).hexdigest() for user in redis_config.USERS}
    (tmp_path / "users.acl").write_text(redis_config.render_acl(hashes))
    config = redis_config.RedisConfig(
        host="0.0.0.0", port=6379, store_dir=Path("/data"), acl_file=Path("/conf/users.acl")
    )
    (tmp_path / "redis.conf").write_text(redis_config.render(config))
    password = tmp_path / "password"
    write_secret(password, "risk-gate")
    container = (
        DockerContainer("redis:7")
        .with_volume_mapping(str(tmp_path), "/conf")
        .with_command("redis-server /conf/redis.conf")
        .with_exposed_ports(6379)
        .waiting_for(LogMessageWaitStrategy("Ready to accept connections"))
    )
    with container as redis:
        url = f"redis://{redis.get_container_host_ip()}:{redis.get_exposed_port(6379)}/0"
        async with Store.connect(url, "risk-gate", password) as store:
            assert await store.compare_and_set("risk:doc", {"mode": "ACTIVE"}, expected_version=0) == 1
