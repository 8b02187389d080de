"""Command line of the venue: every option typed, bounded and explained."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Literal

from gpt_trader.exchange_sim.domain.contracts import contract_of
from gpt_trader.exchange_sim.domain.faults.kinds import KINDS
from gpt_trader.exchange_sim.domain.products import PRODUCT_ID

_DESCRIPTION = """Speak Coinbase Advanced Trade's REST and WebSocket protocol on the wire, with real matching.

At start one JSON line is printed with everything a client needs: rest (host:port), ws (wss URL), ca (CA file),
key_file and view_key_file (CDP key files), admin (test hooks). SIGINT or SIGTERM ends it.
`exchange-sim faults` lists what can go wrong on command."""

_EXAMPLES = """examples:
  exchange-sim                                   a lively generated market on any free port
  exchange-sim --port 8443 --seed 7 --products BTC-USD,ETH-USD --clock-rate 10
  exchange-sim --replay data/minute/BTC-USD/2017-09-04.trades.csv.gz --clock-rate 60
  exchange-sim --follow nats://127.0.0.1:4222 --follow-seed-file exchange-sim.nk   the paper venue of a feed
  exchange-sim --pending-ms 300 --visibility-ms 2000 --latency-ms 20   a slow venue
  curl -d '{"kind":"http_500_after_accept","match":"POST /api/v3/brokerage/orders"}' http://ADMIN/faults"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What can be configured; see the options' help for units and bounds."""

    host: str
    port: int
    http_port: int | None
    admin_port: int
    health_host: str
    health_port: int
    state_dir: Path | None
    seed: int
    products: tuple[str, ...]
    futures: tuple[str, ...]
    balances: dict[str, Decimal]
    futures_wallet: Decimal
    replay: tuple[Path, ...]
    replay_from_start: bool
    clock_start: datetime | None
    clock_rate: Decimal
    clock_origin: datetime | None
    ticks_per_second: int
    follow: str | None
    follow_seed_file: Path | None
    maker_fee: Decimal
    taker_fee: Decimal
    futures_maker_fee: Decimal
    futures_taker_fee: Decimal
    futures_contract_fee: Decimal
    latency_ms: int
    pending_ms: int
    visibility_ms: int
    cancel_ms: int
    key_kind: str
    profile: Literal["sdk", "2026"]
    deflate: bool
    ws_idle_s: int
    private_limit: int
    public_limit: int
    single_use_nonce: bool
    clock_skew_s: int
    spurious_401_rate: Decimal
    aliases: tuple[str, ...]
    scenario: Path | None
    record: Path | None
    repeat: Path | None


def parse(argv: Sequence[str]) -> Settings:
    """Read the command line; a bad value ends the process with status 2 and the reason."""
    parser = argparse.ArgumentParser(
        prog="exchange-sim",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_network(parser)
    _add_market(parser)
    _add_following(parser)
    _add_clock(parser)
    _add_behaviour(parser)
    _add_faults(parser)
    given = vars(parser.parse_args(argv))
    if (given["clock_origin"] is not None) and given["clock_start"] is None and not given["replay"]:
        parser.error("--clock-origin needs --clock-start")
    if given["follow"] is not None and (given["follow_seed_file"] is None or given["replay"] or given["futures"]):
        parser.error("--follow needs --follow-seed-file, and follows neither a recording nor futures")
    return Settings(**given)


def _add_network(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("network and keys")
    group.add_argument("--host", default="127.0.0.1", help="address to listen on, also a name in the certificate")
    group.add_argument("--port", type=_integer(0, 65535), default=0, help="TLS port for REST and WebSocket; 0 = any")
    group.add_argument("--http-port", type=_integer(0, 65535), help="also serve plain http there; 0 = any free port")
    group.add_argument("--admin-port", type=_integer(0, 65535), default=0, help="loopback port of the test hooks")
    group.add_argument("--health-host", default="127.0.0.1", help="address of /livez /readyz /health /metrics")
    group.add_argument("--health-port", type=_integer(0, 65535), default=0, help="its port; 0 = any free one")
    group.add_argument("--state-dir", type=Path, help="where CA and key files are written (default: a temporary one)")
    group.add_argument(
        "--key-kind",
        choices=("es256", "ed25519", "view-only", "with-transfer"),
        default="es256",
        help="kind of the key in key_file (default es256: may view and trade, not transfer)",
    )
    group.add_argument(
        "--aliases", type=_names, default=(), help="further host names accepted in JWTs, comma separated"
    )


def _add_market(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("market")
    group.add_argument("--seed", type=_integer(0, 2**63), default=1, help="same seed and requests: same results")
    group.add_argument(
        "--products",
        type=_products,
        default=("BTC-USD", "ETH-USD", "SOL-USD", "LTC-USD", "XRP-USD", "DOGE-USD"),
        help="generated products, comma separated",
    )
    group.add_argument(
        "--futures",
        type=_futures,
        default=(),
        help="US futures, such as BIP-20DEC30-CDE,BIT-27DEC26-CDE; each follows its spot product, which must be listed",
    )
    group.add_argument(
        "--futures-wallet",
        type=_decimal("0", "1e15"),
        default=Decimal(0),
        help="dollars in the futures wallet",
    )
    group.add_argument(
        "--balances", type=_balances, default={"USD": Decimal(100000)}, help="opening balances, as USD=100000,BTC=0.5"
    )
    group.add_argument(
        "--replay", type=Path, nargs="+", default=(), help="CSV or CSV.gz files or folders of recorded bars to replay"
    )
    group.add_argument(
        "--replay-from-start",
        action="store_true",
        help="shift the recording in time so that it begins at --clock-start",
    )
    group.add_argument(
        "--ticks-per-second",
        type=_integer(1, 5000),
        default=60,
        help="prints per second of real time, over all products (default 60)",
    )
    group.add_argument("--maker-fee", type=_rate, default=Decimal("0.0006"), help="fraction of value (default 0.0006)")
    group.add_argument("--taker-fee", type=_rate, default=Decimal("0.0010"), help="fraction of value (default 0.0010)")
    futures = "of a future's notional"
    group.add_argument("--futures-maker-fee", type=_rate, default=Decimal(0), help=f"fraction {futures} (default 0)")
    group.add_argument(
        "--futures-taker-fee", type=_rate, default=Decimal("0.0003"), help=f"fraction {futures} (default 0.0003)"
    )
    group.add_argument(
        "--futures-contract-fee",
        type=_decimal("0", "1000"),
        default=Decimal("0.15"),
        help="dollars per contract and fill, besides the fraction (default 0.15)",
    )


def _add_following(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("paper venue")
    group.add_argument(
        "--follow", metavar="URL", help="prices, depth and rules are those on this bus, none are generated"
    )
    group.add_argument("--follow-seed-file", type=Path, help="nkey seed of the bus's user exchange-sim")


def _add_clock(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("market clock (tokens are always judged in real time)")
    group.add_argument("--clock-start", type=_instant, help="market time at the origin, ISO 8601 (default: now)")
    group.add_argument(
        "--clock-rate", type=_decimal("0.001", "100000"), default=Decimal(1), help="market seconds per real second"
    )
    group.add_argument("--clock-origin", type=_instant, help="real time at which market time is --clock-start")


def _add_behaviour(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("behaviour")
    milliseconds = _integer(0, 600000)
    group.add_argument("--latency-ms", type=milliseconds, default=0, help="mean real delay of REST answers, seeded")
    group.add_argument("--pending-ms", type=milliseconds, default=0, help="market time an order stays PENDING")
    group.add_argument("--visibility-ms", type=milliseconds, default=0, help="market time a created order reads as 404")
    group.add_argument("--cancel-ms", type=milliseconds, default=0, help="market time in CANCEL_QUEUED")
    group.add_argument("--profile", choices=("sdk", "2026"), default="sdk", help="sdk: messages carry client_id")
    group.add_argument(
        "--deflate", action=argparse.BooleanOptionalAction, default=True, help="accept permessage-deflate"
    )
    group.add_argument("--ws-idle-s", type=_integer(1, 3600), default=90, help="close a silent socket after (seconds)")
    group.add_argument("--private-limit", type=_integer(0, 100000), default=30, help="REST calls per second and key")
    group.add_argument("--public-limit", type=_integer(0, 100000), default=10, help="REST calls per second and address")
    group.add_argument("--single-use-nonce", action="store_true", help="refuse a token that was used before")
    group.add_argument("--clock-skew-s", type=_integer(0, 300), default=2, help="tolerated lead of a token's nbf")
    group.add_argument("--spurious-401-rate", type=_rate, default=Decimal(0), help="share of good tokens refused")


def _add_faults(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("faults; `exchange-sim faults` lists the kinds, each with an example")
    group.add_argument("--scenario", type=Path, help="YAML file of faults to play from the start")
    group.add_argument("--record", type=Path, help="JSON lines of every fault that strikes, begins or ends")
    group.add_argument("--repeat", type=Path, help="such a file: let the same faults strike at the same occasions")


def listed_faults() -> str:
    """Describe every kind of fault, as a line of a scenario."""
    lines = []
    for kind, about in KINDS.items():
        unit = f"; value: {about.unit}, {about.least} to {about.most}, usually {about.value}" if about.unit else ""
        lasts = "; lasts" if about.is_lasting else ""
        words = ", ".join(f"{name}: {value}" for name, value in {"kind": kind.value, **about.example}.items())
        lines.append(f"{kind.value} ({about.strikes.value}{lasts}{unit})\n  {about.meaning}\n  - {{{words}}}\n")
        if about.names:
            lines.append(f"  names: {' '.join(sorted(about.names))}\n")
    return "".join(lines)


def _integer(least: int, most: int) -> Callable[[str], int]:
    def parse_integer(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number between {least} and {most}")
        return int(text)

    return parse_integer


def _decimal(least: str, most: str) -> Callable[[str], Decimal]:
    def parse_decimal(text: str) -> Decimal:
        try:
            value = Decimal(text)
        except InvalidOperation:
            raise argparse.ArgumentTypeError(f"{text!r} is not a decimal number") from None
        if not Decimal(least) <= value <= Decimal(most):
            raise argparse.ArgumentTypeError(f"{text!r} is not between {least} and {most}")
        return value

    return parse_decimal


def _rate(text: str) -> Decimal:
    return _decimal("0", "0.5")(text)


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an ISO 8601 time") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _products(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(text.split(",")))
    for name in names:
        if not PRODUCT_ID.fullmatch(name):
            raise argparse.ArgumentTypeError(f"{name!r} is not a product id such as BTC-USD")
    return names


def _futures(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(text.split(",")))
    for name in names:
        try:
            contract_of(name)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
    return names


def _balances(text: str) -> dict[str, Decimal]:
    balances = {}
    for part in text.split(","):
        currency, equals, amount = part.partition("=")
        if not equals or not currency.isalnum():
            raise argparse.ArgumentTypeError(f"{part!r} is not CURRENCY=AMOUNT")
        balances[currency.upper()] = _decimal("0", "1e15")(amount)
    return balances
