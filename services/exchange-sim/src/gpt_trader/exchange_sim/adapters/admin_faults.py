"""The control API of faults: order them, see what they did, repeat it, and begin again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from gpt_trader.exchange_sim.adapters.admin_bodies import FillBody, RepeatBody, ResetBody
from gpt_trader.exchange_sim.adapters.faults import Faults, firing_json
from gpt_trader.exchange_sim.adapters.rest.wire import Json, invalid, parse_body
from gpt_trader.exchange_sim.adapters.scenarios import explained
from gpt_trader.exchange_sim.domain.faults.fault import Fault, Scenario
from gpt_trader.exchange_sim.domain.orders import CUSTOMER
from gpt_trader.exchange_sim.ports import Floor

Table = list[tuple[str, str, Callable[[bytes], Json]]]
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRoutes:
    """What can be done to faults, and to what they did."""

    floor: Floor
    faults: Faults

    def table(self) -> Table:
        """List method, path and answer."""
        return [
            ("GET", "/faults", self._told),
            ("POST", "/faults", self._order),
            ("DELETE", "/faults", self._disarm),
            ("POST", "/scenario", self._play),
            ("POST", "/repeat", self._repeat),
            ("POST", "/reset", self._reset),
            ("POST", "/orders/fill", self._fill),
        ]

    def _told(self, raw: bytes) -> Json:
        del raw
        board = self.faults.board
        return {
            "armed": [
                {**orjson.loads(one.fault.model_dump_json(exclude_defaults=True)), "times": one.fault.times}
                | {"seen": one.seen, "struck": one.struck, "holds": one.holds}
                for one in board.armed
            ],
            "fired": [orjson.loads(firing_json(one)) for one in board.fired],
        }

    def _order(self, raw: bytes) -> Json:
        self.faults.order([_parsed(Fault, raw)])
        return self._at_once()

    def _disarm(self, raw: bytes) -> Json:
        del raw
        self.faults.board.disarm()
        return self._at_once()

    def _play(self, raw: bytes) -> Json:
        self.faults.order(_parsed(Scenario, raw).ordered())
        return self._at_once()

    def _repeat(self, raw: bytes) -> Json:
        self.faults.board.repeat(_parsed(RepeatBody, raw).fired)
        return self._at_once()

    def _at_once(self) -> Json:
        self.floor.pulse()
        return self._told(b"")

    def _reset(self, raw: bytes) -> Json:
        body = parse_body(ResetBody, raw)
        self.faults.restart()
        self.floor.restart()
        ledger = self.floor.venue.ledger
        for currency, amount in body.balances.items():
            ledger.deposit(CUSTOMER, currency, amount - ledger.balance(CUSTOMER, currency).total)
        self.floor.pulse()
        return {"balances": ledger.currencies(CUSTOMER)}

    def _fill(self, raw: bytes) -> Json:
        body = parse_body(FillBody, raw)
        if not self.floor.venue.fill(body.order_id, self.floor.now(), body.size):
            raise invalid(f"order_id: {body.order_id!r} is no order that rests")
        self.floor.publish()
        return {"status": self.floor.venue.orders[body.order_id].status.value}


def _parsed(model: type[M], raw: bytes) -> M:
    try:
        return model.model_validate_json(raw or b"{}")
    except ValidationError as error:
        raise invalid(explained(error)) from None
