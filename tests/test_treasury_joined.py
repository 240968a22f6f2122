"""A live engine that lives on a treasury: files are watched, bands are live, a replay agrees."""

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
import tomlkit

from engine.cli.backtest_data import data_of
from engine.cli.backtest_run import Wanted, run_backtest
from engine.cli.building import treasury_facts
from engine.cli.stewarding import steward_of
from engine.cli.tables import status_view, why_lines
from engine.cli.treasury_view import limits_answer, liquid_answer
from engine.cli.treasury_world import Told, world_of
from engine.runtime.config import Config, config_hash, load_config
from engine.runtime.journal_reader import read
from engine.runtime.operating import Operating
from engine.runtime.treasury_facts import parse_facts
from engine.runtime.treasury_watch import TreasuryWatch
from engine.trading.steward import Steward
from engine.treasury.dates import NS_PER_DAY, day_text
from engine.values.errors import UserError
from engine.values.events import Event
from engine.values.records import OrderIntent
from engine.values.step import Step
from engine.values.treasury_words import FloatSet, HoldingsSeen, LimitsSet, ObligationSet
from engine.values.units import BUY, SELL, decimal_text
from tests.live_replay import replayed
from tests.live_world import MARKET, ROOT, LiveWorld, Setting, demo_table, live_world
from tests.sim.venue import BTT

M = 1_000_000
HEADER = "name,due,function,asset,amount\n"


def files(tmp_path: Path, today_ns: int = 0) -> Path:
    """The treasury of the demo with rows of its own; returns its file."""
    table = tomlkit.parse((ROOT / "configs" / "treasury.toml").read_text())
    due = day_text(today_ns // NS_PER_DAY + 20) if today_ns else "2026-12-01"
    (tmp_path / "owed.csv").write_text(HEADER + f"creators,{due},creator rewards,BTT,2000000000\n")
    (tmp_path / "locks.csv").write_text("name,kind,place,asset,amount,unwind_h,until\n")
    (tmp_path / "wallet.json").write_text((ROOT / "configs" / "treasury_custody.json").read_text())
    table["files"] = {
        "obligations": str(tmp_path / "owed.csv"), "locks": str(tmp_path / "locks.csv"),
    }  # fmt: skip
    path = tmp_path / "treasury.toml"
    path.write_text(tomlkit.dumps(table))
    return path


def with_treasury(tmp_path: Path, today_ns: int = 0) -> Any:
    file = files(tmp_path, today_ns)

    def change(table: Any) -> None:
        table["treasury"] = {
            "file": str(file), "statements": [str(tmp_path / "wallet.json")], "every_s": 0.05,
        }  # fmt: skip

    return change


def config(tmp_path: Path) -> Config:
    table = demo_table(tmp_path / "data", tmp_path / "key.json", {})
    with_treasury(tmp_path)(table)
    path = tmp_path / "config.toml"
    path.write_text(tomlkit.dumps(table))
    return load_config(path)


def steward(world: LiveWorld) -> Steward:
    found = world.live.engine.neighbours.treasurer
    assert isinstance(found, Steward)
    return found


def sides(world: LiveWorld) -> set[str]:
    return {str(order.side) for order in world.truth().open_orders}


async def test_a_live_engine_follows_its_treasurys_files_and_a_replay_agrees(
    tmp_path: Path,
) -> None:
    setting = Setting(change=with_treasury(tmp_path, time.time_ns()))
    async with live_world(tmp_path, setting=setting) as world:
        bands = world.maker.quoter.bands
        assert bands.floor_lots == 160 * M
        told = steward(world).told(MARKET)
        assert told["sell_bound_by"] == "lower band"
        world.take()
        await world.until(lambda: bool(world.truth().fills), "a fill")
        # What an engine tells `ballast treasury` holds the float, custody and last prices.
        operating = Operating(world.live, "t", "demo")
        picture = operating.account()
        answer = status_view(operating.status())
        assert answer is not None
        lines = why_lines(operating._why(MARKET))
        assert any(line.startswith("  treasury: may sell ") for line in lines)
        # Two debts more: the float is reserved, and the asks go.
        due = day_text(world.live.clock.now_ns() // NS_PER_DAY + 3)
        rows = (tmp_path / "owed.csv").read_text() + f"more,{due},rebates,BTT,150000000\n"
        (tmp_path / "owed.csv").write_text(rows)
        await world.until(lambda: sides(world) == {str(BUY)}, "no asks")
        # A file with a mistake changes nothing and is told in one line.
        (tmp_path / "owed.csv").write_text(rows + "bad,2026-13-01,rebates,BTT,1\n")
        await world.until(lambda: bool(world.alerts), "the mistake")
        await world.until(
            lambda: any("owed.csv:4" in alert.text for alert in world.alerts), "the line"
        )
        assert str(SELL) not in sides(world)
        # A fuller wallet frees it again.
        wallet = (tmp_path / "wallet.json").read_text().replace("2050000000", "2950000000")
        (tmp_path / "wallet.json").write_text(wallet)
        await world.until(lambda: len(sides(world)) == 2, "asks again")
        (tmp_path / "owed.csv").write_text(rows)
        held = steward(world).treasury.holdings.held("loopback", "BTT")
        assert held == world.maker.keeper.portfolio.balance("BTT")
    _engine_is_read_with_its_float(tmp_path, picture)
    _journal_and_replay(tmp_path / "data")
    _back_test(tmp_path)


def _engine_is_read_with_its_float(tmp_path: Path, picture: Any) -> None:
    facts = parse_facts(picture, "engine")
    working = {row.asset: row.working for row in facts.balances if row.place == "loopback"}
    assert working["BTT"] is not None
    assert {row.place for row in facts.balances} == {"loopback", "cold wallet"}
    assert [row.asset for row in facts.reviewed] == ["BTT"]
    world = world_of(tmp_path / "treasury.toml", [Told(name="e", facts=facts, table=picture)])
    assert decimal_text(world.facts.working["loopback", "BTT"], 8) == working["BTT"]
    assert liquid_answer(world)["released"][0]["venue"] == "loopback"
    assert any(row["limit"] == "daily turnover" for row in limits_answer(world))


def _journal_and_replay(home: Path) -> None:
    path = home / "journal.db"
    opened = [row.record for row in read(path, kinds=("FloatSet",))]
    assert {(r.venue, r.asset) for r in opened if isinstance(r, FloatSet)} == {
        ("loopback", "BTT"),
        ("loopback", "USDT"),
    }
    assert sum(isinstance(entry, LimitsSet) for entry in replayed(home)) == 1


def _back_test(tmp_path: Path) -> None:
    """The same config on what was recorded, with the files as they are now."""
    made, records = load_config(tmp_path / "config.toml"), []
    data = data_of(made, [tmp_path / "data"], 0)

    def watch(event: Event, step: Step) -> None:
        records.extend(step.records)

    run_backtest(made, "x", data, Wanted(), watch)
    asked = [record.order.side for record in records if isinstance(record, OrderIntent)]
    assert set(asked) == {BUY, SELL}
    assert [r.atoms for r in records if isinstance(r, FloatSet) and r.asset == "BTT"] == [
        200 * M * 10**8
    ]
    assert sum(isinstance(record, ObligationSet) for record in records) == 1


# --- the config ---------------------------------------------------------------------------------


def test_the_files_of_the_treasury_are_part_of_the_configs_hash(tmp_path: Path) -> None:
    first = config(tmp_path)
    assert set(first.treasury_texts) == {
        str(tmp_path / name) for name in ("treasury.toml", "owed.csv", "locks.csv", "wallet.json")
    }
    (tmp_path / "owed.csv").write_text(HEADER)
    assert config_hash(load_config(tmp_path / "config.toml")) != config_hash(first)


def test_a_start_tells_the_limits_the_debts_the_locks_and_the_wallet(tmp_path: Path) -> None:
    made = config(tmp_path)
    facts = treasury_facts(made, 7)
    assert [type(fact).__name__ for fact in facts] == [
        "LimitsSet",
        "ObligationSet",
        "LockSet",
        "HoldingsSeen",
    ]
    assert {fact.at_ns for fact in facts} == {7}
    wallet = facts[-1]
    assert isinstance(wallet, HoldingsSeen)
    assert {row.asset: row.atoms for row in wallet.holdings} == {
        "BTT": 2050 * M * 10**8,
        "USDT": 1_500 * 10**8,
    }


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("owed.csv", HEADER + "a,never,rebates,BTT,1\n", "owed.csv:2: due"),
        ("wallet.json", "{", "wallet.json: not JSON"),
        ("wallet.json", '{"at": "2026-11-21T12:00:00Z", "balances": [{"place": "moon", '
         '"asset": "BTT", "amount": "1"}]}', 'balances[0].place: "moon" is none of [[places]]'),
        ("wallet.json", '{"at": "2026-11-21T12:00:00Z", "balances": [{"place": "cold wallet", '
         '"asset": "BTT", "amount": "-1"}]}', "balances[0].amount: must not be negative"),
        ("treasury.toml", "functions = 1\n", "treasury.toml: "),
    ],
)  # fmt: skip
def test_a_mistake_in_any_file_refuses_the_config_by_its_line(
    tmp_path: Path, name: str, text: str, fault: str
) -> None:
    config(tmp_path)
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError) as told:
        load_config(tmp_path / "config.toml")
    assert fault in str(told.value)


def test_no_config_may_hold_the_texts_itself(tmp_path: Path) -> None:
    table = demo_table(tmp_path / "data", tmp_path / "key.json", {})
    table["treasury_texts"] = {"a": "b"}
    path = tmp_path / "config.toml"
    path.write_text(tomlkit.dumps(table))
    with pytest.raises(UserError, match="treasury_texts"):
        load_config(path)


def test_a_watch_that_knows_the_start_tells_only_what_is_new(tmp_path: Path) -> None:
    class Clock:
        def now_ns(self) -> int:
            return 9

    made = config(tmp_path)
    watch = TreasuryWatch(
        tmp_path / "treasury.toml", Clock(), pytest.fail, [tmp_path / "wallet.json"]
    )
    watch.know(treasury_facts(made, 0))
    assert watch.read() == []
    text = (tmp_path / "wallet.json").read_text().replace('"1500"', '"1600"')
    (tmp_path / "wallet.json").write_text(text)
    [seen] = watch.read()
    assert isinstance(seen, HoldingsSeen)
    assert seen.place == "cold wallet"


# --- what does not fit --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"base": "TRX"}, "assets: no TRX, which BTT/USDT@loopback trades"),
        ({"venue": "loopback"}, ""),
        ({"size_exponent": 9}, "a lot of BTT/USDT@loopback is no whole number of atoms"),
    ],
)
def test_a_market_that_does_not_fit_its_treasury_is_refused(
    tmp_path: Path, change: dict[str, Any], fault: str
) -> None:
    made = config(tmp_path)
    item = msgspec.structs.replace(BTT, **change)
    if not fault:
        assert steward_of(made, {MARKET: item}).told(MARKET) == {}
        return
    with pytest.raises(UserError) as told:
        steward_of(made, {MARKET: item})
    assert str(told.value).endswith(fault)


def test_a_venue_that_is_no_place_of_the_treasury_is_refused(tmp_path: Path) -> None:
    made = config(tmp_path)
    item = msgspec.structs.replace(BTT, venue="moon")
    with pytest.raises(UserError, match='places: no venue "moon"'):
        steward_of(made, {MARKET: item})
