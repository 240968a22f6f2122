"""Who is measured in the wire benchmark: what to start for each, with the files that it needs."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import tomlkit

from adapters.loopback.keys import new_ed25519
from bench.wire_venue import BUY_BELOW, SPREAD_TICKS, STEP_TICKS, WireVenue
from engine.cli.venue import write_key
from engine.runtime.control import call

ROOT = Path(__file__).resolve().parent.parent
STATUS_S = 2.0
LEVELS_A_SIDE = 5
APART_TICKS = 500
"""Between the levels of a ladder of which no price stays: no multiple of it is another's price."""
COUNTS = dict.fromkeys(("message rate", "open orders"), 1e6)
MONEY = dict.fromkeys(("order size", "order value", "worst value", "turnover", "loss"), 1e12)
SHAPE = dict.fromkeys(("volatility", "spread wide", "book delay"), 1e6)
WIDE = COUNTS | MONEY | SHAPE
"""Rows whose thresholds are about money or rates that this market has not got."""
LADDER = {
    "levels": LEVELS_A_SIDE, "lots": 10, "lots_growth": 0.0,
    "half_spread_min_ticks": BUY_BELOW + SPREAD_TICKS / 2,
    "half_spread_unknown_ticks": 0.0, "volatility_weight": 0.0, "horizon_s": 1.0,
    "fee_weight": 0.0, "depth_thin_lots": 1, "thin_widening_ticks": 0.0, "hold_ticks": 0.0,
    "lean_ticks": 0.0, "zone_size_share": 0.0,
}  # fmt: skip
"""Five levels a side, the best bid BUY_BELOW below the market's: its price names the frame."""


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """`adapter` is "" for clients that are not ours. `whole`: no order outlives a frame.

    `busy`: the loop never sleeps, on a core of its own, with a rehearsal every two milliseconds.
    """

    name: str
    adapter: str = ""
    whole: bool = False
    busy: bool = False
    rate: int = 200

    @property
    def cpus(self) -> tuple[int, int] | None:
        """A core for the venue and one for the client, where there are two."""
        free = sorted(os.sched_getaffinity(0))
        return (free[0], free[-1]) if self.busy and len(free) > 1 else None


FLOOR = Client(name="floor")
BARE = Client(name="ccxt.pro loop")
NATIVE = Client(name="ballast native", adapter="native")
CCXT = Client(name="ballast ccxt", adapter="ccxt")
WHOLE = Client(name="ballast native, whole ladder", adapter="native", whole=True)
BUSY = Client(name="ballast native, busy", adapter="native", busy=True)
FLOOD = Client(name="ballast native, 2,000/s", adapter="native", rate=2_000)
BUSY_FLOOD = Client(name="ballast native, busy, 2,000/s", adapter="native", busy=True, rate=2_000)


def plain_demo() -> dict[str, Any]:
    """The demo's config without a playbook, which would ask for a second market."""
    table = tomlkit.parse((ROOT / "configs" / "demo.toml").read_text()).unwrap()
    del table["watched"]
    for key in ("playbook", "broad", "technical"):
        del table["markets"][0][key]
    return table


def write_config(folder: Path, urls: dict[str, str], client: Client) -> Path:
    """The demo's config with another market in it, and every check of its risk gate still made."""
    table = plain_demo()
    table |= {"data_dir": str(folder / "data"), "name": "wire"}
    table["venues"][0] |= {
        "adapter": client.adapter, "urls": urls, "key": "bench",
        "key_file": str(folder / "key.json"),
    }  # fmt: skip
    table["runtime"] |= {"quote_budget_ms": 1_000}  # a starved machine is no slow strategy
    if client.busy:
        host: dict[str, Any] = {"busy_poll": True, "freeze_gc": True, "rehearse_every_ms": 2}
        if client.cpus is not None:
            host["cpus"] = [client.cpus[1]]
        table["runtime"] |= {"host": host}
    market = table["markets"][0]
    market["symbol"], market["strategy"], market["own_orders_show"] = "BTC/USDT", "ladder", False
    market["params"] = LADDER | {"step_ticks": float(APART_TICKS if client.whole else STEP_TICKS)}
    market["features"] = {"volatility_warm_up_s": 1e-6}
    market["bands"] = {
        "floor": "1", "lower": "400", "target": "500", "upper": "600", "cap": "1000",
    }  # fmt: skip
    for row in market["risk"]:
        row["cool_down_s"] = 0
        if row["check"] in WIDE:
            row["threshold"] = row["release"] = WIDE[row["check"]]
    path = folder / "wire.toml"
    path.write_text(tomlkit.dumps(table))
    return path


def command_of(client: Client, folder: Path, venue: WireVenue) -> list[str]:
    if client is FLOOR:
        urls = venue.urls["ws.spot"], venue.urls["ws.ws-api.spot"]
        return [sys.executable, "-m", "bench.wire_floor", *urls]
    if client is BARE:
        (folder / "urls.json").write_text(json.dumps(_nested(venue.urls)))
        return [sys.executable, "-m", "bench.wire_ccxt", str(folder / "urls.json")]
    write_key(folder / "key.json", new_ed25519("main"))
    config = write_config(folder, venue.urls, client)
    return [sys.executable, "-m", "engine.cli", "run", str(config)]


def merged(client: Client, folder: Path) -> int:
    """How many book facts the engine says it has folded into newer ones. 0 where it is not ours."""
    if not client.adapter:
        return 0
    sockets = list((folder / "data").rglob("*.sock"))
    return int(call(sockets[0], "status", {}, STATUS_S)["merged"]) if sockets else 0


def _nested(flat: dict[str, str]) -> dict[str, Any]:
    """Dotted names as the tree that ccxt keeps them in."""
    tree: dict[str, Any] = {}
    for name, url in flat.items():
        *path, last = name.split(".")
        branch = tree
        for part in path:
            branch = branch.setdefault(part, {})
        branch[last] = url
    return tree
