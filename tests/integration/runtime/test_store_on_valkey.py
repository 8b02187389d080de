import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError

from gpt_trader.runtime.secret_files import KeyUnusable
from gpt_trader.runtime.store import Store, StoreConflict, StoreUnavailable


async def test_a_document_comes_back_with_its_version(valkey: Any) -> None:
    async with Store.connect(valkey.url, "risk-gate", valkey.password_files["risk-gate"]) as store:
        version = await store.compare_and_set("risk:doc", {"mode": "ACTIVE"}, expected_version=0)

        document = await store.get("risk:doc")

    assert version == 1
    assert document is not None
    assert (document.version, document.content) == (1, {"mode": "ACTIVE"})


async def test_a_stale_writer_is_refused(valkey: Any) -> None:
    async with Store.connect(valkey.url, "risk-gate", valkey.password_files["risk-gate"]) as store:
        await store.compare_and_set("risk:raced", 1, expected_version=0)

        with pytest.raises(StoreConflict):
            await store.compare_and_set("risk:raced", 2, expected_version=0)

        document = await store.get("risk:raced")
    assert document is not None
    assert document.content == 1


async def test_the_executor_reads_but_never_writes(valkey: Any) -> None:
    async with (
        Store.connect(valkey.url, "risk-gate", valkey.password_files["risk-gate"]) as gate,
        Store.connect(valkey.url, "executor", valkey.password_files["executor"]) as executor,
    ):
        await gate.put("risk:state", {"mode": "HALTED"}, version=7)

        assert (await executor.get("risk:state")) == (await gate.get("risk:state"))
        with pytest.raises(StoreUnavailable, match="permissions"):
            await executor.put("risk:state", {"mode": "ACTIVE"}, version=8)
        with pytest.raises(StoreUnavailable, match="permissions"):
            await executor.compare_and_set("risk:state", {"mode": "ACTIVE"}, expected_version=7)


async def test_a_wrong_password_is_unavailable(valkey: Any) -> None:
    async with Store.connect(valkey.url, "risk-gate", valkey.password_files["executor"]) as store:
        with pytest.raises(StoreUnavailable):
            await store.get("risk:state")


async def test_what_is_no_document_is_unavailable_and_not_empty(valkey: Any) -> None:
    async with Store.connect(valkey.url, "risk-gate", valkey.password_files["risk-gate"]) as store:
        await store._redis.set("risk:text", "not a hash")

        assert await store.is_present("risk:text")
        with pytest.raises(StoreUnavailable):
            await store.get("risk:text")


FORBIDDEN = [
    ("executor", ("SET", "risk:state", "x")),
    ("executor", ("HSET", "risk:state", "mode", "ACTIVE")),
    ("executor", ("GET", "strat:a")),
    ("strategy", ("SET", "risk:state", "x")),
    ("strategy", ("GET", "risk:kill")),
    ("strategy", ("DEL", "strat:a")),
    ("operator", ("SET", "risk:state", "x")),
    ("operator", ("DEL", "risk:kill")),
    ("operator", ("GET", "strat:a")),
    ("risk-gate", ("DEL", "risk:kill")),
    ("risk-gate", ("EVAL", "return redis.call('GET', KEYS[1])", "1", "strat:a")),
    ("risk-gate", ("FLUSHALL",)),
    ("risk-gate", ("CONFIG", "GET", "*")),
    ("risk-gate", ("KEYS", "*")),
    ("risk-gate", ("ACL", "LIST")),
    ("risk-gate", ("SHUTDOWN", "NOSAVE")),
    ("risk-gate", ("PUBLISH", "x", "y")),
    ("provisioner", ("SET", "risk:kill", "x")),
    ("provisioner", ("DEL", "risk:state")),
]


@pytest.mark.parametrize(("user", "command"), FORBIDDEN)
async def test_what_a_user_has_no_right_to_is_refused(valkey: Any, user: str, command: tuple[str, ...]) -> None:
    async with Store.connect(valkey.url, user, valkey.password_files[user]) as store:
        with pytest.raises(NoPermissionError):
            await store._redis.execute_command(*command)  # type: ignore[no-untyped-call] # the library left it so


async def test_the_default_user_is_off(valkey: Any) -> None:
    nobody = Redis.from_url(valkey.url, protocol=2, driver_info=None)
    with pytest.raises(AuthenticationError):
        await nobody.get("risk:state")
    await nobody.aclose()


async def test_anybody_may_raise_the_kill_flag_who_operates_and_only_provisioning_clears_it(own_valkey: Any) -> None:
    files = own_valkey.password_files
    async with (
        Store.connect(own_valkey.url, "operator", files["operator"]) as operator,
        Store.connect(own_valkey.url, "executor", files["executor"]) as executor,
        Store.connect(own_valkey.url, "provisioner", files["provisioner"]) as provisioner,
    ):
        await operator._redis.set("risk:kill", "now")
        assert await executor.is_present("risk:kill")

        await provisioner._redis.delete("risk:kill")
        assert not await executor.is_present("risk:kill")


async def test_a_stalled_server_costs_at_most_half_a_second(own_valkey: Any) -> None:
    async with Store.connect(own_valkey.url, "risk-gate", own_valkey.password_files["risk-gate"]) as store:
        await store.put("risk:state", 1, version=1)
        os.kill(own_valkey.server.process.pid, signal.SIGSTOP)
        took = []
        for _ in range(3):
            started = time.monotonic()
            with pytest.raises(StoreUnavailable):
                await store.get("risk:state")
            took.append(time.monotonic() - started)

        os.kill(own_valkey.server.process.pid, signal.SIGCONT)
        assert min(took) < 0.5, "the wait itself: what is above it is a busy machine's"
        async with asyncio.timeout(30):
            while not await answers(store):  # noqa: ASYNC110 - the server's process goes on when it gets its turn
                await asyncio.sleep(0.05)


async def answers(store: Store) -> bool:
    try:
        return await store.get("risk:state") is not None
    except StoreUnavailable:
        return False


async def test_nobody_is_there_means_unavailable(free_port: Any, valkey: Any) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    async with Store.connect(url, "risk-gate", valkey.password_files["risk-gate"]) as store:
        with pytest.raises(StoreUnavailable):
            await store.is_present("risk:kill")


async def test_a_missing_password_ends_the_start_with_the_file(valkey: Any, tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match="absent"):
        async with Store.connect(valkey.url, "risk-gate", tmp_path / "absent"):
            pass
