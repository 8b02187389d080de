"""`gpt-trader up --mode paper` and `--mode dry_run`, as a person types them; an exchange-sim is the real venue."""

import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from harness import system

from gpt_trader.contracts.market import BookSummary

PRODUCT = "BTC-USD"
PRICE = 43_210


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Start the venue that stands for the real one, at a price that no other has, and return where it listens."""
    folder = tmp_path_factory.mktemp("real")
    log = folder / "log"
    argv = [sys.executable, "-m", "gpt_trader.exchange_sim", "--state-dir", str(folder), "--products", PRODUCT]
    with log.open("wb") as sink:
        process = subprocess.Popen(argv, stdout=sink)
    try:
        deadline = time.monotonic() + 60
        while not log.read_bytes().strip():
            assert time.monotonic() < deadline, "no announcement"
            time.sleep(0.05)
        places = orjson.loads(log.read_bytes())
        held = orjson.dumps({"product_id": PRODUCT, "mid": str(PRICE)})
        urllib.request.urlopen(f"{places['admin']}/market", held, timeout=10).close()
        yield places
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("mode", "words"), [("paper", "orders to a simulated exchange"), ("dry_run", "no order is sent")]
)
def test_a_run_reads_the_real_venue_says_where_orders_go_and_stops(
    real: dict[str, str], tmp_path: Path, mode: str, words: str
) -> None:
    places = ["--venue-rest", real["rest"], "--venue-ws", real["ws"], "--venue-ca-file", real["ca"]]
    account = ["--venue-user-ws", real["ws"], "--cdp-key-file", real["view_key_file"]] if mode == "dry_run" else []

    with system(tmp_path, "--mode", mode, "--products", PRODUCT, *places, *account) as running:
        running.until("trading is active", lambda: running.trader_json("status")["trading"]["status"] == "active")
        (book,) = running.history("BOOKS", BookSummary, f"books.{PRODUCT}")[-1:]

        assert book.bid <= PRICE <= book.ask
        assert words in running.output.read_text()
    assert methods(real) == {"GET"}


def test_a_dry_run_without_a_key_says_what_it_needs(tmp_path: Path) -> None:
    refused = subprocess.run(
        [str(Path(sys.executable).parent / "gpt-trader"), "up", "--run-dir", str(tmp_path), "--mode", "dry_run"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert refused.returncode == 2
    assert "--cdp-key-file" in refused.stderr


def methods(real: dict[str, str]) -> set[str]:
    """Return the methods of every request that the real venue was sent."""
    with urllib.request.urlopen(f"{real['health']}/metrics", timeout=10) as answer:
        return set(re.findall(r'^exchange_sim_requests_total\{method="(\w+)"', answer.read().decode(), re.MULTILINE))
