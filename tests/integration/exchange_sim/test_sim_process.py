"""Starting, refusing to start, replaying and stopping as a process."""

import asyncio
import gzip
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from gpt_trader.exchange_sim.__main__ import run
from gpt_trader.exchange_sim.ports import CannotStart
from gpt_trader.exchange_sim.settings import parse

TRADES = "start,open,high,low,close,volume"
QUOTES = "start,bid_open,bid_high,bid_low,bid_close,bid_size,ask_open,ask_high,ask_low,ask_close,ask_size"


def start(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gpt_trader.exchange_sim", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Start the venue in this process and return why it would not: a process of its own costs a second."""
    with pytest.raises((SystemExit, CannotStart)) as refused:
        asyncio.run(run(parse(arguments)))
    said = capsys.readouterr()
    assert said.out == ""
    return f"{refused.value} {said.err}"


def write(folder: Path, name: str, *lines: str) -> str:
    path = folder / "BTC-USD" / name
    path.parent.mkdir(exist_ok=True)
    text = "\n".join(lines) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return str(path)


BROKEN = [
    ("trades.csv", ["start,open,high,low,close", "60,1,1,1,1"], ["line 1", "columns"]),
    ("trades.csv", [TRADES, "60,1,1,1,1,5", "120,1,x,1,1,5"], ["line 3", "'high'", "'x' is not a number"]),
    ("trades.csv", [TRADES, "60,1,1,1,1,5", "120,1,1,1,0,5"], ["line 3", "'close'", "above zero"]),
    ("trades.csv", [TRADES, "60,5,4,3,4,5"], ["line 2", "'high'", "below another price"]),
    ("trades.csv", [TRADES, "120,1,1,1,1,5", "60,1,1,1,1,5"], ["line 3", "'start'", "not after"]),
    ("trades.csv", [TRADES, "60,1,1,1,1"], ["line 2", "5 fields, expected 6"]),
    ("trades.csv", [TRADES], ["no rows"]),
    ("quotes.csv", [QUOTES, "60,1,1,1,1,5,,2,2,2,5"], ["line 2", "'ask_open'", "is empty while"]),
]


@pytest.mark.parametrize(("name", "lines", "named"), BROKEN)
def test_a_corrupt_recording_refuses_the_start_and_names_the_cell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, lines: list[str], named: list[str]
) -> None:
    path = write(tmp_path, name, *lines)

    reason = refusal(capsys, "--replay", path)

    assert all(part in reason for part in [path, *named]), reason


def test_other_unusable_settings_are_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torn = tmp_path / "BTC-USD.trades.csv.gz"
    torn.write_bytes(gzip.compress(b"x" * 100)[:20])
    good = write(tmp_path, "trades.csv", TRADES, "60,1,1,1,1,5")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        cases = {
            ("--port", port): f"cannot listen on 127.0.0.1:{port}",
            ("--replay", str(tmp_path / "missing")): "no such file",
            ("--replay", str(torn)): "cannot be read",
            ("--replay", good, "--clock-start", "2020-01-01"): "outside the recording",
            ("--products", "bitcoin"): "not a product id",
            ("--clock-rate", "0"): "not between",
            ("--maker-fee", "2"): "not between",
            ("--balances", "USD"): "not CURRENCY=AMOUNT",
            ("--futures", "ZZZ-20DEC30-CDE"): "contract code 'ZZZ' is none of",
            ("--futures", "BIP-20DEC30-CDE", "--products", "ETH-USD"): "follows BTC-USD, which is not listed",
            ("--futures", "BIT-28JUN24-CDE"): "expired at 2024-06-28T15:00:00",
        }
        for arguments, reason in cases.items():
            assert reason in refusal(capsys, *arguments)


def test_help_teaches() -> None:
    done = start("--help")

    assert done.returncode == 0
    assert all(word in done.stdout for word in ("examples:", "--replay", "key_file", "market time"))


def test_a_replayed_bar_keeps_its_prices_and_a_missing_side_stays_missing(
    tmp_path: Path, start_sim: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    trades = [TRADES, "1504483140,99,99,99,99,1", "1504483200,100,110,95,105,12", "1504483260,105,106,90,91,8"]
    quotes = [QUOTES, "1504483200,99,99,99,99,3,100,100,100,100,4", "1504483320,90,90,90,90,3,,,,,"]
    paths = [write(tmp_path, "day.trades.csv.gz", *trades), write(tmp_path, "day.quotes.csv", *quotes)]

    sim = start_sim("--replay", *paths, "--clock-start", "2017-09-04T00:00:00Z", "--clock-rate", "60")
    client = sim.client()
    book = eventually(lambda: [b for b in [client.get_product_book("BTC-USD").pricebook] if b.bids and not b.asks])[0]
    candles = client.get_candles("BTC-USD", "1504483100", "1504483400", "ONE_MINUTE").candles

    assert book.bids[0].price == "90"
    found = [[candle.start, candle.open, candle.high, candle.low, candle.close] for candle in candles]
    assert found == [
        ["1504483260", "105", "106", "90", "91"],
        ["1504483200", "100", "110", "95", "105"],
        ["1504483140", "99", "99", "99", "99"],
    ]
    assert abs(Decimal(candles[1].volume) - 12) < Decimal("0.0001")


def test_real_recordings_are_played(start_sim: Callable[..., Any], eventually: Callable[..., Any]) -> None:
    folder = Path(__file__).parents[4] / "shared" / "data" / "coinbase" / "minute"
    if not folder.is_dir():
        pytest.skip("the recorded market data is not beside this clone")
    files = sorted(str(path) for product in ("BTC-USD", "ETH-USD") for path in (folder / product).glob("2017-09-04*"))
    files += sorted(str(path) for path in (folder / "ETH-USD").glob("2017-09-03*"))

    sim = start_sim("--replay", *files, "--clock-start", "2017-09-04T06:00:00Z", "--clock-rate", "120")
    client = sim.client()

    prices = {product.product_id: product.price for product in client.get_products().products}
    assert 4000 < float(prices["BTC-USD"]) < 5000
    assert 250 < float(prices["ETH-USD"]) < 400
    assert eventually(lambda: len(client.get_market_trades("BTC-USD", limit=50).trades) == 50)


def test_plain_http_is_an_option_and_keys_are_private_files(tmp_path: Path, start_sim: Callable[..., Any]) -> None:
    sim = start_sim("--http-port", "0", "--state-dir", str(tmp_path / "state"), "--host", "127.0.0.1")

    reply = requests.get(f"http://{sim.http}/api/v3/brokerage/time", timeout=60)

    assert reply.status_code == 200
    assert Path(sim.key_file).stat().st_mode & 0o077 == 0
    assert Path(sim.ca) == tmp_path / "state" / "ca.pem"
    context = ssl.create_default_context(cafile=sim.ca)
    host, port = sim.rest.split(":")
    with socket.create_connection((host, int(port))) as raw, context.wrap_socket(raw, server_hostname="localhost"):
        pass


def test_a_restarted_venue_keeps_keys_and_trust_and_repeats_no_id(
    tmp_path: Path, start_sim: Callable[..., Any]
) -> None:
    ids = []
    for _ in range(2):
        sim = start_sim("--state-dir", str(tmp_path))
        trust, key = Path(sim.ca).read_bytes(), Path(sim.key_file).read_bytes()
        created = sim.client().limit_order_gtc_buy("again", "BTC-USD", "0.01", "30000")
        ids.append((created.success_response["order_id"], trust, key))

    assert ids[0][0] != ids[1][0]
    assert ids[0][1:] == ids[1][1:]


def test_a_key_file_of_another_kind_refuses_the_start(tmp_path: Path) -> None:
    (tmp_path / "cdp_key.json").write_text('{"name": "x", "privateKey": "nonsense"}')

    done = start("--state-dir", str(tmp_path))

    assert (done.returncode, done.stdout) == (2, "")
    assert "not a key file" in done.stderr


def test_a_scenario_plays_is_recorded_and_strikes_again_at_the_same_requests(
    tmp_path: Path, start_sim: Callable[..., Any]
) -> None:
    scenario, record = tmp_path / "storm.yaml", tmp_path / "storm.jsonl"
    scenario.write_text(
        "faults:\n- {kind: http_500_before_accept, match: /time, probability: 0.3, times: -1, seed: 4}\n"
    )

    def statuses(sim: Any) -> list[int]:
        return [sim.request("GET", "/api/v3/brokerage/time").status_code for _ in range(20)]

    played = statuses(start_sim("--scenario", str(scenario), "--record", str(record), "--public-limit", "0"))
    repeated = statuses(start_sim("--repeat", str(record), "--public-limit", "0"))

    assert 2 < played.count(500) < 15
    assert repeated == played
    assert len(record.read_text().splitlines()) == played.count(500)
