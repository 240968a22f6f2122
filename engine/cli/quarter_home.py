"""The files of a live quarter: everything that its engine's config names, in one directory."""

import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import tomlkit

from engine.cli.demo_venue import flat
from engine.cli.quarter_venues import QuarterVenue
from engine.cli.treasury_quarter_files import csv_text, owed_rows, statement_of, text_of
from engine.runtime.config import Config, load_config
from engine.runtime.person_file import read_text
from engine.runtime.treasury_rows import LOCK_COLUMNS, OBLIGATION_COLUMNS
from engine.sim.quarter_setup import (
    ALPHA,
    BEGIN_NS,
    BETA,
    USDD,
    QuarterSetup,
    obligations,
    start_balances,
)
from engine.sim.quarter_world import MARKETS
from engine.treasury.dates import day_of, day_text
from engine.values.units import Ns

CONFIG, ENGINE, KEYS, POLICY, OWED, LOCKS, HELD, ROSTER = (
    "config.toml", "engine.toml", "keys", "treasury.toml", "obligations.csv", "locks.csv",
    "held.json", "roster.toml",
)  # fmt: skip
IDLE = "idle"


def engine_files(home: Path, setup: QuarterSetup, files: tuple[Path, Path]) -> None:
    """The policy with the quick [execution] of the engine's file, and all that the config names.

    `files` are the policy and the engine's. Raises UserError.
    """
    table: Any = tomlkit.parse(read_text(files[0]))
    quick = tomllib.loads(read_text(files[1]))
    table["execution"] = quick["execution"]
    table["scores"].extend(quick["scores"])
    named = tomlkit.table()
    named["obligations"], named["locks"] = str(home / OWED), str(home / LOCKS)
    table["files"] = named
    people = [
        {
            "name": person.name, "role": person.role.value, "key": person.key,
            "contact": person.contact,
            "absent": [
                {"from": _day(away.from_ns), "until": _day(away.until_ns)}
                for away in person.absences
            ],
        }
        for person in setup.people
    ]  # fmt: skip
    scheme = setup.scheme
    held = [
        {"place": place, "asset": asset, "amount": text_of(scheme, asset, atoms)}
        for (place, asset), atoms in start_balances().items()
        if place not in (ALPHA, BETA)
    ]
    statement = msgspec.json.encode(statement_of(BEGIN_NS, held)).decode()
    texts = {
        POLICY: tomlkit.dumps(table),
        ENGINE: read_text(files[1]),
        ROSTER: tomlkit.dumps({"people": people}),
        OWED: csv_text(OBLIGATION_COLUMNS, owed_rows(scheme, obligations(setup.days))),
        LOCKS: csv_text(LOCK_COLUMNS, []),
        HELD: statement,
    }
    for name, text in texts.items():
        (home / name).write_text(text, encoding="utf-8")


def _day(at_ns: Ns) -> date:
    return date.fromisoformat(day_text(day_of(at_ns)))


def config_of(home: Path, venues: dict[str, QuarterVenue]) -> Config:
    quick = tomllib.loads(read_text(home / ENGINE))
    table = {
        "mode": "demo", "name": "quarter", "data_dir": str(home),
        "runtime": quick["runtime"],
        "treasury": {
            **quick["treasury"], "file": str(home / POLICY), "roster": str(home / ROSTER),
            "statements": [str(home / HELD)],
        },
        "venues": [
            {
                "name": name, "adapter": "native", "exchange": "binance", "key": name,
                "key_file": str(home / KEYS / f"{name}.json"),
                "urls": flat(venue.exchange.urls()), "options": quick["options"],
            }
            for name, venue in venues.items()
        ],
        "markets": [
            {
                **(quick["market"] | (quick["stable"] if base == USDD else {})),
                "symbol": f"{base}/USDT", "venue": venue,
            }
            for base, venue in MARKETS
        ],
    }  # fmt: skip
    for market in table["markets"]:
        if market["strategy"] == IDLE:
            market.pop("params", None)
    (home / CONFIG).write_text(tomlkit.dumps(table), encoding="utf-8")
    return load_config(home / CONFIG)
