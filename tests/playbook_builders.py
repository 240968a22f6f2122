"""Small playbooks for tests: rows by what differs, everything else as it is."""

from pathlib import Path
from typing import Any

import msgspec
import tomlkit

from engine.signals.outlook import (
    Correlation,
    DepthTrend,
    Regime,
    Thickness,
    Turnover,
    VolatilityTrend,
)
from engine.trading.playbook import Playbook
from engine.trading.playbook_file import parse
from engine.trading.posture import Answers, Inventory, Signal

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
SHIPPED = CONFIGS / "playbook.toml"
QUIET = Answers(
    signal=Signal.NEUTRAL,
    inventory=Inventory.INSIDE,
    btc=Regime.STABLE,
    correlation=Correlation.LOW,
    depth=DepthTrend.STEADY,
    volatility=VolatilityTrend.STEADY,
    book=Thickness.DEEP,
    turnover=Turnover.NORMAL,
)
NEUTRAL_QUOTES = {
    "bid_size": 1.0,
    "ask_size": 1.0,
    "bid_closer": 0.0,
    "bid_out_ticks": 0.0,
    "ask_out_ticks": 0.0,
    "upper_ask_out_ticks": 0.0,
}


def answers(**changes: str) -> Answers:
    """A quiet market with a neutral rating, but for `changes`."""
    return msgspec.convert({**msgspec.structs.asdict(QUIET), **changes}, Answers)


def action(*, bid_size: float = 1.0, hedge: str = "staged", **limits: Any) -> dict[str, Any]:
    return {
        "quotes": {**NEUTRAL_QUOTES, "bid_size": bid_size},
        "hedge": hedge,
        "limits": {"cap_share": 1.0, "may_add": True, "stops_share": 1.0, **limits},
        "reason": "because",
    }


def row(name: str, rank: int, when: dict[str, list[str]], **of: Any) -> dict[str, Any]:
    return {"name": name, "rank": rank, "when": when, **action(**of)}


def shipped() -> dict[str, Any]:
    return tomlkit.parse(SHIPPED.read_text()).unwrap()


def content(*rows: dict[str, Any], **default: Any) -> dict[str, Any]:
    """A file's content with these rows, and the numbers of the shipped one."""
    tables = {name: shipped()[name] for name in ("outlook", "rules", "hedge")}
    return {
        "name": "test",
        "rows": list(rows),
        "default": {"name": "default", **action(**default)},
        **tables,
    }


def playbook(*rows: dict[str, Any], **default: Any) -> Playbook:
    return parsed(content(*rows, **default))


def parsed(table: dict[str, Any]) -> Playbook:
    return parse(tomlkit.dumps(table), "test.toml")
