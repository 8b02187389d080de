"""Waits until the bus is there and provisioned, so that a service that is deployed with it starts once.

python -m gpt_trader.runtime.infrastructure.await_bus --zone executor --nats-url nats://… --nats-seed-file seed
"""

import argparse
import asyncio
import sys
from pathlib import Path

from gpt_trader.contracts.subjects import HISTORY, Zone
from gpt_trader.runtime.bus import BusError, PublishRefused, connect
from gpt_trader.runtime.secret_files import KeyUnusable
from gpt_trader.runtime.settings import REFUSED

_PAUSE_SECONDS = 1.0
_DURABLES_FOLLOW_SECONDS = 0.5
"""Durables are made right after the last stream."""


def main() -> None:
    """Return when the bus is ready; exit code 2 says that waiting longer is no use, and what to do."""
    parser = argparse.ArgumentParser(prog="await-bus", description="wait until the streams of a zone can be read")
    parser.add_argument("--zone", required=True, type=Zone, choices=list(Zone), help="whose streams to wait for")
    parser.add_argument("--nats-url", required=True, help="address of the bus")
    parser.add_argument("--nats-seed-file", required=True, type=Path, help="nkey seed of that zone")
    options = parser.parse_args()
    try:
        asyncio.run(_awaited(options.nats_url, options.nats_seed_file, options.zone))
    except KeyUnusable as error:
        sys.stderr.write(f"{options.zone}: {error}: is the Secret with the seed there? see docs/deploy/secrets.md\n")
        raise SystemExit(REFUSED) from None
    except PublishRefused as error:
        sys.stderr.write(
            f"the bus refused the credential of {options.zone} ({error}): the seed and the public key that the server"
            " was given do not belong together; see docs/deploy/secrets.md, Rotate\n"
        )
        raise SystemExit(REFUSED) from None


async def _awaited(url: str, seed_file: Path, zone: Zone) -> None:
    while True:
        try:
            async with connect(url, seed_file, zone) as bus:
                for stream in sorted(HISTORY[zone]):
                    await bus.last(stream, ">")
                await asyncio.sleep(_DURABLES_FOLLOW_SECONDS)
                return
        except PublishRefused:
            raise
        except BusError as error:
            sys.stderr.write(f"{zone} waits for the bus: {error}\n")
        await asyncio.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    main()
