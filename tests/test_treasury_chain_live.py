"""A live engine with a chain behind its treasury: the whole way, a replay, the books, kill -9."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import tomlkit

from engine.cli.assemble import running
from engine.runtime.chain_file import NAME, chain_in
from engine.runtime.config import load_config
from engine.runtime.redaction import Redactor
from engine.runtime.treasury_file import parse_treasury
from engine.runtime.treasury_verbs import on_chain_rows
from engine.trading.treasury_work import TreasuryWork
from engine.treasury.proposals import Status
from engine.values.action_words import Action
from engine.values.chain_words import ChainSeen
from engine.values.errors import UserError
from engine.values.ledger_words import LockMoved, TransferArrived, TransferSent
from tests.action_builders import ANNA, FAY, OTTO, H, request
from tests.chain_kills import CHAIN, MOMENTS, TOKENS, files
from tests.chain_world import UNIT, VAULT, WALLET, ChainWorld, sent, stake
from tests.live_replay import replayed
from tests.live_world import ROOT, LiveWorld, Setting, live_world
from tests.treasury_world import signed_by_two

M = 1_000_000


@pytest.fixture(scope="module")
def kills(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each moment led to. The processes are apart from this one."""
    home = tmp_path_factory.mktemp("kills")
    ran = subprocess.run(
        [sys.executable, "-m", "tests.chain_kills", str(home)],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return {one["moment"]: one for one in json.loads(ran.stdout.splitlines()[-1])}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_this_moment_the_chain_did_it_at_most_once_and_its_end_is_known(kills, moment):
    one = kills[moment]
    assert one["killed"], "it died there"
    assert one["began"] == 1
    assert one["orders"] <= 1
    is_done = one["orders"] == 1
    assert one["end"] == ("done" if is_done else "failed")
    assert one["staked"] == one["in the books"] == one["locked"] == (TOKENS if is_done else 0)
    assert one["journal"] == ""


def test_what_the_file_of_the_chain_knows_was_never_repeated_and_what_it_does_not_never_left(kills):
    lost = {name for name, one in kills.items() if not one["orders"]}
    assert lost == {
        "after Executing", "before it is handed over", "the chain has it and not its file",
    }  # fmt: skip


# --- the whole way --------------------------------------------------------------------------------


class Chained:
    """The treasury of the kills in the world of the other live tests."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def change(self, table: Any) -> None:
        data = self.home / "t"
        data.mkdir()
        files(self.home, data, {})
        text = data / "treasury.toml"
        treasury: Any = tomlkit.parse(text.read_text()).unwrap()
        wallet = next(row for row in treasury["places"] if row["name"] == WALLET)
        treasury["places"].append(wallet | {"name": VAULT})
        treasury["authority"]["addresses"].append(
            {"place": VAULT, "network": "tron", "memo": "", "address": "TXabc123"}
        )
        treasury["authority"]["rows"][0]["kind"] = ["stake", "transfer"]
        treasury["chain"] = CHAIN | {"simulated": CHAIN["simulated"] | {"pay_ppm": {"p": 1000}}}
        treasury["chain"]["simulated"]["pay_every_s"] = 1
        text.write_text(tomlkit.dumps(treasury))
        table["treasury"] = {"file": str(text), "roster": str(data / "roster.toml")}


def work(world: LiveWorld) -> TreasuryWork:
    found = world.live.engine.neighbours.treasurer
    assert isinstance(found, TreasuryWork)
    return found


async def signed(world: LiveWorld, name: str, action: Action) -> None:
    now_ns = world.live.clock.now_ns()
    asked = ANNA.asks(request(name, action, at_ns=now_ns, expires_ns=now_ns + H), now_ns)
    for word in (asked, OTTO.answers(asked, now_ns), FAY.answers(asked, now_ns)):
        await world.live.tell(msgspec.structs.replace(word, at_ns=world.live.clock.now_ns()))
    desk = work(world).actions.desk
    await world.until(lambda: desk.proposals[name].status is Status.DONE, f"the end of {name}")


async def test_a_stake_and_a_transfer_go_the_whole_way_are_replayed_and_balance(
    tmp_path: Path,
) -> None:
    setting = Setting(change=Chained(tmp_path).change)
    async with live_world(tmp_path, setting=setting) as world:
        await signed(world, "p1", stake(30 * M))
        await signed(world, "p2", sent(20 * M))
        holdings = work(world).steward.treasury.holdings
        await world.until(lambda: (holdings.held(VAULT, "BTT") or 0) == 20 * M * UNIT, "arrival")
        await world.until(lambda: (holdings.held(WALLET, "BTT") or 0) > 50 * M * UNIT, "a reward")
        [lock] = holdings.facts().locks
        assert (lock.kind.value, lock.atoms, lock.place) == ("staked", 30 * M * UNIT, WALLET)
        assert world.facts(ChainSeen)
        made = [record for acted in world.acted for record in acted.step.records]
        assert sum(isinstance(record, LockMoved | TransferArrived) for record in made) == 2
    home = tmp_path / "data"
    chain = chain_in(home / NAME, world.live.clock.now_ns())
    assert chain.gone == {("TXabc123", "BTT"): 20 * M * UNIT}
    replayed(home)
    balanced(home)


def balanced(home: Path) -> None:
    """The books of the journal are proved, wallet and venue alike."""
    command = [sys.executable, "-m", "engine.cli", "treasury", "ledger", str(home), "--json"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr


# --- the section --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"places": ["nowhere"]}, 'chain.places: "nowhere" is none of [[places]]'),
        ({"simulated": None}, "chain.simulated: missing, and no other chain is shipped"),
        ({"every_s": 0}, "every_s must be 0.01 to 3600"),
        ({"strange": 1}, "chain.strange"),
    ],
)
async def test_a_mistake_in_the_section_refuses_the_start_in_one_line(
    tmp_path: Path, change: dict[str, Any], fault: str
) -> None:
    (tmp_path / "key.json").write_text("{}")
    config = files(tmp_path, tmp_path, {})
    treasury: Any = tomlkit.parse((tmp_path / "treasury.toml").read_text()).unwrap()
    section = {k: v for k, v in (treasury["chain"] | change).items() if v is not None}
    (tmp_path / "treasury.toml").write_text(tomlkit.dumps(treasury | {"chain": section}))
    with pytest.raises(UserError) as told:
        async with running(load_config(config), "a config", Redactor()):
            pass
    assert fault in str(told.value)
    assert "\n" not in str(told.value)


def test_the_section_that_the_document_shows_is_one() -> None:
    text = (ROOT / "docs" / "treasury_placement.md").read_text()
    shown = text.partition("```toml\n[chain]")[2].partition("```")[0]
    treasury = (ROOT / "configs" / "treasury.toml").read_text() + "\n[chain]" + shown
    section = parse_treasury(treasury, "treasury.toml").chain
    assert section is not None
    assert section.simulated is not None


def test_the_inbox_names_what_is_out_on_the_chain() -> None:
    world = ChainWorld()
    world.run(3)
    signed_by_two(world, "p1", sent(20 * M))
    while not world.of(TransferSent):
        world.turn()
    assert world.work.chain is not None
    shown = on_chain_rows(world.work.chain)
    assert [row["is"] for row in shown] == ["out", "on its way"]
    assert {row["place"] for row in shown} == {WALLET, VAULT}
