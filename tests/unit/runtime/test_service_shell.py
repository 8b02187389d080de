import asyncio
import json
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gpt_trader.runtime import logs, tracing
from gpt_trader.runtime.bus import BusLost, FencedOff, PublishRefused, SubscriberFailed
from gpt_trader.runtime.health import Health, serve_health
from gpt_trader.runtime.lifecycle import run
from gpt_trader.runtime.recording import recorded, recorder
from gpt_trader.runtime.secret_files import KeyUnusable
from gpt_trader.runtime.settings import ServiceSettings

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def answers(address: str, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}{path}") as answer:
        return answer.status, await answer.text()


async def test_a_service_is_alive_before_it_is_ready(tmp_path: Path) -> None:
    health = Health("risk-gate")

    async with serve_health(ServiceSettings(run_dir=tmp_path), health) as address:
        assert (await answers(address, "/livez"))[0] == 200
        assert (await answers(address, "/readyz"))[0] == 503
        health.note("epoch", 7)
        health.ready(True, "trading")
        status, body = await answers(address, "/readyz")
        assert (await answers(address, "/health"))[0] == 200

    assert status == 200
    assert json.loads(body) == {
        "service": "risk-gate", "is_ready": True, "detail": "trading", "notes": {"epoch": "7"}
    }  # fmt: skip


async def test_the_health_address_is_left_in_the_run_folder(tmp_path: Path) -> None:
    async with serve_health(ServiceSettings(run_dir=tmp_path), Health("executor")) as address:
        assert (tmp_path / "executor.health").read_text() == address


async def test_metrics_are_in_prometheus_format(tmp_path: Path) -> None:
    async with serve_health(ServiceSettings(run_dir=tmp_path), Health("executor")) as address:
        status, body = await answers(address, "/metrics")

    assert status == 200
    assert "# TYPE bus_reconnects_total counter" in body


async def test_unready_says_why_at_health_but_stays_200(tmp_path: Path) -> None:
    health = Health("executor")
    health.ready(False, "reconciling")

    async with serve_health(ServiceSettings(run_dir=tmp_path), health) as address:
        status, body = await answers(address, "/health")

    assert status == 200
    assert json.loads(body)["detail"] == "reconciling"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FencedOff("x"), 3),
        (BusLost("x"), 4),
        (PublishRefused("x"), 4),
        (KeyUnusable("x"), 2),
        (SubscriberFailed("x"), 1),
        (ZeroDivisionError("x"), 1),
        (ExceptionGroup("tasks", [BusLost("x"), FencedOff("y")]), 3),
        (ExceptionGroup("tasks", [ExceptionGroup("inner", [BusLost("x")])]), 4),
    ],
)
def test_the_exit_code_says_which_way_a_service_ended(error: Exception, code: int) -> None:
    async def main() -> None:
        raise error

    assert run(main) == code


def test_a_service_that_returns_ends_clean() -> None:
    async def main() -> None:
        await asyncio.sleep(0)

    assert run(main) == 0


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_ends_clean(name: signal.Signals) -> None:
    drained = []

    async def main() -> None:
        os.kill(os.getpid(), name)
        try:
            await asyncio.sleep(10)
        finally:
            await asyncio.sleep(0)
            drained.append(True)

    assert run(main) == 0
    assert drained == [True]


def test_a_task_that_missed_the_word_to_end_hears_it_again() -> None:
    heard: list[str] = []

    async def deaf_once() -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:  # as a library does that takes it for its own time limit
                heard.append("cancelled")
                if len(heard) > 1:
                    raise

    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(deaf_once())
            await asyncio.sleep(0)
            signal.raise_signal(signal.SIGTERM)

    assert run(main, timedelta(milliseconds=50)) == 0
    assert heard == ["cancelled", "cancelled"]


def test_refused_settings_end_with_their_own_code() -> None:
    async def main() -> None:
        raise SystemExit(2)

    with pytest.raises(SystemExit) as stop:
        run(main)
    assert stop.value.code == 2


def test_recorded_inputs_come_back_in_arrival_order(tmp_path: Path) -> None:
    with recorder(tmp_path / "inputs", "strategy") as record:
        record.record(NOW, "ticks.BTC-USD", b'{"bid":"1"}')
        record.record(NOW, "account", b"{}")

    inputs = list(recorded(tmp_path / "inputs" / "strategy.jsonl"))

    assert [(entry.at, entry.subject, entry.payload) for entry in inputs] == [
        (NOW, "ticks.BTC-USD", '{"bid":"1"}'),
        (NOW, "account", "{}"),
    ]


def test_a_torn_recording_ends_before_the_tear(tmp_path: Path) -> None:
    with recorder(tmp_path, "strategy") as record:
        record.record(NOW, "account", b"{}")
    with (tmp_path / "strategy.jsonl").open("ab") as sink:
        sink.write(b'{"at":')

    assert len(list(recorded(tmp_path / "strategy.jsonl"))) == 1


def test_without_a_folder_nothing_is_recorded() -> None:
    with recorder(None, "strategy") as record:
        record.record(NOW, "account", b"{}")


@pytest.mark.parametrize("field", ["password", "nkey_seed", "CDP_PRIVATE_key", "jwt", "Authorization"])
def test_secrets_are_blanked_in_logs(field: str) -> None:
    event: dict[str, Any] = {"event": "x", field: "hunter2"}

    assert "hunter2" not in str(logs.redact(None, "info", event))


def test_the_path_of_a_secret_is_no_secret() -> None:
    assert logs.redact(None, "info", {"nats_seed_file": "/run/x.nk"}) == {"nats_seed_file": "/run/x.nk"}


def test_a_chain_carries_its_origin_and_trace() -> None:
    tracing.adopt({"Origin-Ns": "42", "traceparent": "00-a-b-01", "Nats-Msg-Id": "x"})

    assert tracing.carried() == {"Origin-Ns": "42", "traceparent": "00-a-b-01"}
    assert tracing.origin_ns() == 42


def test_a_message_without_headers_begins_no_chain() -> None:
    tracing.adopt({"Origin-Ns": "42"})
    tracing.adopt({})

    assert tracing.origin_ns() is None


@pytest.mark.parametrize("text", ["", "-1", "1.5", "now", "٣", "9" * 20, "9" * 5000])
def test_an_origin_that_is_no_number_is_unknown(text: str) -> None:
    tracing.adopt({"Origin-Ns": text})

    assert tracing.origin_ns() is None


@pytest.mark.parametrize("value", ["x" * 129, "€", "a\nb: c", "\x00"])
def test_what_no_request_can_carry_is_left_behind(value: str) -> None:
    tracing.adopt({"Origin-Ns": "42", "traceparent": value, "Decision-Id": value})

    assert tracing.carried() == {"Origin-Ns": "42"}


def test_without_an_exporter_a_span_changes_nothing() -> None:
    tracing.origin(7, "tick")

    with tracing.span("review", product="BTC-USD"):
        assert tracing.carried() == {"Origin-Ns": "7"}


def test_every_line_of_a_step_names_the_decision_that_it_follows_from() -> None:
    tracing.adopt({"Decision-Id": "d-1"})

    assert logs.name_decision(None, "info", {"event": "order"})["decision_id"] == "d-1"
    with tracing.about("d-2"):
        assert logs.name_decision(None, "info", {"event": "order"})["decision_id"] == "d-2"
        assert logs.name_decision(None, "info", {"event": "order", "decision_id": "d-0"})["decision_id"] == "d-0"
        assert tracing.carried() == {"Decision-Id": "d-2"}
    assert tracing.carried() == {"Decision-Id": "d-1"}


def test_a_line_outside_the_path_of_an_order_names_no_decision() -> None:
    tracing.adopt({})

    assert logs.name_decision(None, "info", {"event": "started"}) == {"event": "started"}


def test_no_more_of_a_foreign_header_is_logged_than_an_id_needs() -> None:
    tracing.adopt({"Decision-Id": "x" * 128})

    assert len(logs.name_decision(None, "info", {"event": "order"})["decision_id"]) == 64
