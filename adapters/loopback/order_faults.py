"""What the faults O02, O03, O04, O08 and F04 do to one request."""

from collections.abc import Iterable

import msgspec

from adapters.loopback.api import Answer, Api, Request
from adapters.loopback.faults import Fault, Faults
from adapters.loopback.refusals import Refusal
from engine.values.errors import UserError
from engine.values.units import Ns

TARGETS = {
    "place": ("place", "replace"),
    "cancel": ("cancel", "cancelAll"),
    "query": ("order", "openOrders", "myTrades", "account"),
    "any": (),
}
ANSWERS: dict[str, Answer] = {
    "-1006": Answer(
        status=500,
        body={
            "code": -1006,
            "msg": "An unexpected response was received from the message bus. "
            "Execution status unknown.",
        },
    ),
    "-1007": Answer(
        status=504,
        body={
            "code": -1007,
            "msg": "Timeout waiting for response from backend server. "
            "Send status unknown; execution status unknown.",
        },
    ),
    "500": Answer(status=500, body={"code": -1000, "msg": "An unknown error occurred."}),
    "502": Answer(status=502, body="<html><body><h1>502 Bad Gateway</h1></body></html>"),
    "503": Answer(
        status=503,
        body={"code": -1000, "msg": "Unknown error, please check your request or try again later."},
    ),
    "504": Answer(status=504, body="<html><body><h1>504 Gateway Time-out</h1></body></html>"),
}
YES_OR_NO = ("true", "false")
CHOICES: tuple[tuple[str, Iterable[str]], ...] = (
    ("on", TARGETS),
    ("how", ("hang", "cut")),
    ("answer", ANSWERS),
    ("execute", YES_OR_NO),
    ("keep", YES_OR_NO),
)
NUMBERS = ("retry", "before_ban", "ban", "fills", "times")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Is the request executed, is its reply lost (and how), or what is answered instead."""

    is_executed: bool = True
    is_lost: bool = False
    is_cut: bool = False
    instead: Answer | None = None


def check_options(fault: Fault) -> None:
    """Raises UserError for an option that names nothing."""
    for name in NUMBERS:
        if not fault.options.get(name, "0").isdigit():
            raise UserError(f"--fault {fault.fault_id}: {name} is not a whole number")
    for name, allowed in CHOICES:
        value = fault.options.get(name)
        if value is not None and value not in allowed:
            raise UserError(
                f"--fault {fault.fault_id}: {name}={value!r} is none of {', '.join(allowed)}"
            )


def plan_for(faults: Faults, asked: Request) -> Plan:
    for fault_id in ("O03", "O02", "O04"):
        fault = _fault_here(faults, fault_id, asked)
        if fault is None:
            continue
        is_cut = fault.option("how", "hang") == "cut"
        match fault_id:
            case "O03":
                return Plan(is_executed=False, is_lost=True, is_cut=is_cut)
            case "O02":
                return Plan(is_lost=True, is_cut=is_cut)
            case _:
                is_executed = fault.option("execute", "true") == "true"
                instead = ANSWERS[fault.option("answer", "-1007")]
                return Plan(is_executed=is_executed, instead=instead)
    return Plan()


def prepare(faults: Faults, api: Api, asked: Request, now_ns: Ns) -> None:
    """O08: somebody takes the order just before its cancel arrives. F04: an old book is served."""
    symbol = asked.values.get("symbol", "")
    if asked.call == "depth" and symbol in api.exchange.markets:
        is_stale = faults.strike("F04", symbol, "depth") is not None
        api.exchange.markets[symbol].is_stale_next = is_stale
    if asked.call != "cancel" or not faults.is_on("O08", symbol):
        return
    try:
        account = api.authenticate(asked, now_ns)
    except Refusal:
        return
    order = api.exchange.store.find(
        account,
        symbol,
        int(asked.values.get("orderId", "0")),
        asked.values.get("origClientOrderId", ""),
    )
    if order is not None and order.is_open:
        faults.strike("O08", order.symbol, order.client_id)
        api.exchange.force_fill(order, order.lots_left, now_ns)


def _fault_here(faults: Faults, fault_id: str, asked: Request) -> Fault | None:
    symbol = asked.values.get("symbol", "")
    for fault in faults.active(fault_id):
        targets = TARGETS[fault.option("on", "place")]
        is_symbol = not fault.symbol or fault.symbol == symbol
        if is_symbol and (not targets or asked.call in targets):
            return faults.struck(fault, asked.values.get("newClientOrderId", asked.call))
    return None
