"""A live engine with a treasury that acts, on the loopback venue: bands, signatures, a restart."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from adapters.loopback.config import VenueConfig, atoms, btt_usdt
from adapters.loopback.keys import KeyPair
from adapters.loopback.venue import LoopbackVenue
from engine.runtime.control import call
from engine.runtime.journal_reader import read
from engine.runtime.operating import Operating
from engine.runtime.signing import make_key
from engine.trading.treasury_work import TreasuryWork
from engine.treasury.proposals import Proposal, Status
from engine.values.action_words import Rebalance
from engine.values.commands import Place
from engine.values.errors import UserError
from engine.values.execution_records import ChildSent, ParentStarted
from engine.values.treasury_words import FloatSet
from engine.values.units import SELL
from tests import patience
from tests.live_replay import replayed
from tests.live_world import (
    ACCOUNT,
    ROOT,
    SYMBOL,
    LiveWorld,
    Setting,
    live_world,
)
from tests.playbook_world import LOTS, Stage

M = 1_000_000
UNIT = 10**8
FLOAT = 100 * M
DUST = 2 * M
"""Less than this is below the smallest order of the venue; it stays."""
PEOPLE = {"anna": "finance", "fay": "finance", "otto": "operations"}
QUICK = {
    "child_depth_ppm": 400_000, "child_every_s": 1, "participation_ppm": 1_000_000,
    "gap_ppm": 100_000, "pause_s": 1, "hand_over_s": 60,
}  # fmt: skip


def venue(pair: KeyPair) -> LoopbackVenue:
    """A market that is always there, in which others trade a lot."""
    ids = count(1).__next__
    stage = Stage(62, LOTS, ids)
    stage.trades, stage.wobble_s = 400_000, 0.7
    config = VenueConfig(
        symbols=[btt_usdt()],
        keys=[pair.key],
        balances={ACCOUNT: {"BTT": atoms("300000000"), "USDT": atoms("1000")}},
    )
    return LoopbackVenue(config, {SYMBOL: stage}, ids=ids)


def files(tmp_path: Path) -> None:
    """The shipped treasury with a smaller float, no debts, quick children, and three people."""
    table: Any = tomlkit.parse((ROOT / "configs" / "treasury.toml").read_text()).unwrap()
    (tmp_path / "owed.csv").write_text("name,due,function,asset,amount\n")
    table["files"] = {"obligations": str(tmp_path / "owed.csv"), "locks": ""}
    table["limits"] = [row for row in table["limits"] if row["measure"] == "daily turnover"]
    table["buckets"][0]["float"][0]["target"] = str(FLOAT)
    table["execution"] |= QUICK
    table["execution"]["estimate"]["ceiling_ppm_max"] = 200_000
    table["rebalance"] |= {"check_hour": 0, "worst_ppm": 150_000}
    (tmp_path / "treasury.toml").write_text(tomlkit.dumps(table))
    people = [
        {"name": name, "role": role, "key": make_key(tmp_path / f"{name}.key"), "contact": "",
         "absent": []}
        for name, role in PEOPLE.items()
    ]  # fmt: skip
    (tmp_path / "roster.toml").write_text(tomlkit.dumps({"people": people}))


class Acting:
    """A live world whose treasury acts. `float_tokens` is what the market maker begins with."""

    def __init__(self, tmp_path: Path, float_tokens: int) -> None:
        self.home = tmp_path
        self._float = float_tokens
        self._told = False

    def change(self, table: Any) -> None:
        table["treasury"] = {
            "file": str(self.home / "treasury.toml"), "roster": str(self.home / "roster.toml"),
            "volumes": "own",  # a venue that is seconds old has traded next to nothing in a day
        }  # fmt: skip
        table["markets"][0]["features"] |= {"volatility_half_life_s": 1.0}
        for row in table["markets"][0]["risk"]:
            if row["check"] in ("volatility", "spread wide", "fills", "message rate"):
                row["threshold"] = row["release"] = 1e6

    def is_ready(self, world: LiveWorld) -> bool:
        """Its first call comes before any turn of the engine: the float's word is there first."""
        if not self._told:
            self._told = True
            word = FloatSet(
                at_ns=world.live.clock.now_ns(), who="ann", venue="loopback", asset="BTT",
                atoms=self._float * UNIT, reason="test",
            )  # fmt: skip
            world.live.inbox.put(word)
        return bool(world.maker.view)


@asynccontextmanager
async def acting(tmp_path: Path, float_tokens: int) -> AsyncIterator[LiveWorld]:
    files(tmp_path)
    made = Acting(tmp_path, float_tokens)
    setting = Setting(venue=venue, change=made.change, is_ready=made.is_ready)
    async with live_world(tmp_path, setting=setting) as world:
        yield world


def work(world: LiveWorld) -> TreasuryWork:
    found = world.live.engine.neighbours.treasurer
    assert isinstance(found, TreasuryWork)
    return found


def proposals(world: LiveWorld) -> list[Proposal]:
    return work(world).actions.desk.proposals.all()


def waits(world: LiveWorld) -> str:
    conversions = work(world).conversions
    assert conversions is not None
    return f"{proposals(world)} {conversions.desk.parents} {conversions.desk.waits}"


async def ended(world: LiveWorld, name: str) -> Proposal:
    over = {Status.DONE, Status.FAILED}

    def is_over() -> bool:
        return any(one.name == name and one.status in over for one in proposals(world))

    await patience.until(is_over, f"the end of {name}", 120.0, lambda: waits(world))
    return next(one for one in proposals(world) if one.name == name)


def sold(world: LiveWorld) -> int:
    """What immediate sales of ours took, by the venue's own record."""
    names = {p.client_id for p in world.commands(Place) if isinstance(p, Place) and p.is_ioc}
    truth = world.truth()
    orders = {order.order_id for order in truth.orders if order.client_id in names}
    fills = [fill for fill in truth.fills if fill.order_id in orders]
    assert all(fill.side is SELL for fill in fills)
    return sum(fill.lots for fill in fills)


def counted(world: LiveWorld, proposal: Proposal) -> int:
    """What the desk of conversions counted of an action, in tokens."""
    conversions = work(world).conversions
    assert conversions is not None
    parent = conversions.parent(proposal.digest[:16])
    assert parent is not None
    return parent.done_atoms // UNIT


def ballast(*words: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "engine.cli", *map(str, words), "--json"]
    with patience.ends(" ".join(map(str, words))):
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    answer: dict[str, Any] = json.loads(ran.stdout.strip().splitlines()[-1])
    return answer


def balanced(home: Path) -> None:
    """The books of the journal equal the venue at its last reading, and say who signed."""
    answer = ballast("treasury", "ledger", home)
    assert answer["ok"] is True, answer


async def test_a_float_over_its_band_becomes_stable_by_itself_within_the_automatic_tier(
    tmp_path: Path,
) -> None:
    async with acting(tmp_path, 130 * M) as world:
        await world.until(lambda: bool(proposals(world)), "the proposal")
        [proposal] = proposals(world)
        done = await ended(world, proposal.name)
        assert (done.status, done.ruling.row, done.signatures) == (Status.DONE, "routine", ())
        children = [r for a in world.acted for r in a.step.records if isinstance(r, ChildSent)]
        assert len(children) >= 2, "in stages"
        action = done.request.action
        assert isinstance(action, Rebalance)
        excess = action.sell.atoms // UNIT
        assert excess - DUST < sold(world) == counted(world, done) <= excess
        assert abs(excess - 30 * M) < 10 * M, "and what fills of our quotes made of it"
        assert world.maker.standing.may_quote
    replayed(tmp_path / "data")
    balanced(tmp_path / "data")


async def test_a_larger_sale_waits_for_two_signatures_that_come_over_the_socket(
    tmp_path: Path,
) -> None:
    async with acting(tmp_path, FLOAT) as world:
        home = tmp_path / "data"
        action = {
            "type": "convert", "sell": {"asset": "BTT", "amount": "90000000"},
            "least": {"asset": "USDT", "amount": "40"}, "venues": ["loopback"],
            "until_ns": "2100-01-01T00:00:00Z",
        }  # fmt: skip
        (tmp_path / "sale.json").write_text(json.dumps(action))

        def signed(verb: str, what: object, who: str, *more: object) -> dict[str, Any]:
            return ballast(
                "treasury", verb, what, "--as", who, "--role", PEOPLE[who], "--key",
                tmp_path / f"{who}.key", "--at", home, "--yes", *more,
            )  # fmt: skip

        # What has no price yet needs more signatures than what is known to be small.
        prices = work(world).actions.desk.prices
        await world.until(lambda: "BTT" in prices, "a price")
        asked = await asyncio.to_thread(
            signed, "propose", tmp_path / "sale.json", "anna", "--file",
            tmp_path / "treasury.toml", "--function", "rebates", "--code", "excess",
            "--why", "a test",
        )  # fmt: skip
        name = asked["name"]
        assert asked["needs"] == ["finance", "operations"]
        first = await asyncio.to_thread(signed, "approve", name, "otto")
        assert first["needs"] == ["finance"]
        roster = {
            "type": "RosterSet",
            "at_ns": 1,
            "who": "x",
            "name": "x",
            "digest": "",
            "people": [],
        }
        with pytest.raises(UserError, match="not a signed word"):
            await asyncio.to_thread(
                call, home / "control.sock", "treasury", {"words": [json.dumps(roster)]}, 60.0
            )
        assert not [r for a in world.acted for r in a.step.records if isinstance(r, ParentStarted)]
        second = await asyncio.to_thread(signed, "approve", name, "fay")
        assert (second["needs"], second["status"]) == ([], "approved")
        inbox = await asyncio.to_thread(ballast, "treasury", "inbox", "--at", home)
        assert [one["name"] for one in inbox["proposals"]] == [name]
        done = await ended(world, name)
        assert (done.status, done.ruling.row) == (Status.DONE, "medium")
        assert 90 * M - DUST < sold(world) == counted(world, done) <= 90 * M
    replayed(tmp_path / "data")
    balanced(tmp_path / "data")
    kinds = [row.kind for row in read(home / "journal.db", kinds=("ParentStarted", "Executed"))]
    assert kinds == ["ParentStarted", "Executed"]


async def test_an_engine_without_a_roster_says_that_it_has_no_desk(tmp_path: Path) -> None:
    async with live_world(tmp_path) as world:
        operating = Operating(world.live, "t", "demo")
        with pytest.raises(UserError, match="no desk of actions"):
            await operating.handle("treasury", {"inbox": False})
