"""What is traded in a day: a venue's own word, else our own tally and how much of it was heard."""

import asyncio
from typing import Any

import msgspec
import pytest

from engine.runtime.treasury_facts import parse_facts, told
from engine.runtime.volume_watch import VolumeWatch, atoms_of
from engine.sim.kernel_block import blocks_of
from engine.trading.account_view import account_view
from engine.trading.day_volume import DayVolume
from engine.trading.steward import Steward
from engine.treasury.dates import NS_PER_H
from engine.treasury.facts import VOLUME_AGE_NS, Volume
from engine.treasury.holdings import Holdings
from engine.treasury.score import score
from engine.values.errors import Transient
from engine.values.events import Trade
from engine.values.instrument import Instrument
from engine.values.treasury_words import VolumeSeen
from engine.values.units import NS_PER_S, Side
from tests.backtest_builders import backtest, market_facts
from tests.holdings_builders import NOW_NS, book, scheme
from tests.sim import builders
from tests.sim.calm import quoting
from tests.sim.venue import BTT, MARKET
from tests.sim.world import World
from tests.steward_builders import UNIT, VENUE, kwargs, steward
from tests.steward_builders import scheme as big
from tests.test_treasury_liquid import SCORE

S, H = NS_PER_S, NS_PER_H


def heard(hours: float, *, from_ns: int = 0, trades: int = 0) -> DayVolume:
    """Listened for so many hours, looking every ten seconds; a trade of 1 a minute."""
    made = DayVolume()
    for turn in range(int(hours * 360) + 1):
        at_ns = from_ns + turn * 10 * S
        made.pass_time(at_ns, is_heard=True)
        if trades and turn % 6 == 0:
            made.add(trades, at_ns)
    return made


def test_a_tally_says_how_much_of_the_day_it_heard() -> None:
    found = heard(2, trades=5).volume(2 * H)
    assert (found.heard_ns, found.is_tally) == (2 * H, True)
    assert found.atoms == 5 * 121


def test_hours_in_which_the_link_was_down_are_not_heard() -> None:
    made = heard(1)
    made.pass_time(H + 10 * S, is_heard=False)
    made.pass_time(3 * H, is_heard=True)
    made.pass_time(3 * H + 10 * S, is_heard=True)
    assert made.volume(3 * H + 10 * S).heard_ns == H + 10 * S


def test_a_gap_between_two_looks_was_not_heard() -> None:
    made = heard(1)
    made.pass_time(2 * H, is_heard=True)
    assert made.volume(2 * H).heard_ns == H


def test_what_is_older_than_a_day_is_forgotten() -> None:
    made = heard(30, trades=5)
    found = made.volume(30 * H)
    assert 24 * H - 60 * S <= found.heard_ns <= 24 * H
    assert found.atoms == 5 * 24 * 60


# --- what counts as a day's volume ----------------------------------------------------------------


def keeper(*volumes: Volume) -> Holdings:
    made = Holdings(scheme())
    made.book(book("one"))
    for volume in volumes:
        made.volume("one", "BTT", volume)
    return made


def tally(hours: int, atoms: int = 100, at_ns: int = NOW_NS) -> Volume:
    return Volume(atoms=atoms, at_ns=at_ns, heard_ns=hours * H, is_tally=True)


@pytest.mark.parametrize(
    ("volume", "known"),
    [
        (tally(2), None),
        (tally(6), 100),
        (tally(24), 100),
        (Volume(atoms=7, at_ns=NOW_NS), 7),
        (Volume(atoms=7, at_ns=NOW_NS - VOLUME_AGE_NS), 7),
        (Volume(atoms=7, at_ns=NOW_NS - VOLUME_AGE_NS - 1), None),
    ],
    ids=["2 h heard", "6 h heard", "all heard", "the venue's", "old", "too old"],
)
def test_two_hours_are_no_day_and_what_was_heard_is_never_scaled_up(
    volume: Volume, known: int | None
) -> None:
    assert keeper(volume).facts().volume("one", "BTT") == known


def test_the_venues_word_stands_against_our_tally_while_it_is_fresh() -> None:
    word = Volume(atoms=900, at_ns=NOW_NS)
    made = keeper(word, tally(24, at_ns=NOW_NS + S))
    assert made.facts().volume("one", "BTT") == 900
    later_ns = NOW_NS + VOLUME_AGE_NS + S
    made.volume("one", "BTT", tally(24, at_ns=later_ns))
    made.pass_time(later_ns)
    assert made.facts().volume("one", "BTT") == 100


def test_an_unknown_volume_is_not_zero_in_the_score_and_worth_nothing() -> None:
    found = score(keeper(tally(2)).facts(), SCORE)
    assert found is not None
    [part] = [part for part in found.parts if part.name == "tokens traded in 24 h"]
    assert (part.found, part.part) == (None, 0.0)


# --- asking the venue -----------------------------------------------------------------------------


class Clock:
    def now_ns(self) -> int:
        return NOW_NS


class Inbox:
    def __init__(self) -> None:
        self.facts: list[Any] = []

    def put(self, event: Any) -> None:
        self.facts.append(event)


class Asked:
    """A gateway whose venue says what it is told to, in turn."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    async def day_volume(self, symbol: str) -> str | None:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        found: str | None = answer
        return found


def item() -> Instrument:
    return Instrument(
        symbol="BTT/USDT", venue=VENUE, venue_symbol="BTTUSDT", base="BTT", quote="USDT",
        price_exponent=8, tick=1, size_exponent=0, lot=1, maker_fee_ppm=0, taker_fee_ppm=0,
    )  # fmt: skip


def watch(gateway: Any, told: list[str]) -> VolumeWatch:
    return VolumeWatch({VENUE: gateway}, [item()], big(), Clock(), told.append)


def test_a_venue_is_asked_and_what_it_says_becomes_a_fact() -> None:
    [fact] = [asyncio.run(watch(Asked("1234.5"), []).ask(item()))]
    assert fact == VolumeSeen(
        at_ns=NOW_NS, who="venue", venue=VENUE, asset="BTT", atoms=123_450_000_000
    )


def test_a_venue_that_does_not_answer_is_told_of_once_and_asked_again() -> None:
    down = Transient("busy", code="x")
    told: list[str] = []
    made = watch(Asked(down, down, "5"), told)
    found = [asyncio.run(made.ask(item())) for _ in range(3)]
    assert [fact is None for fact in found] == [True, True, False]
    assert len(told) == 1


@pytest.mark.parametrize("gateway", [Asked(None), object()], ids=["says nothing", "cannot"])
def test_a_venue_that_never_says_is_not_asked_again(gateway: Any) -> None:
    inbox, told = Inbox(), []
    asyncio.run(asyncio.wait_for(watch(gateway, told).watch(inbox, 0.0), 5))
    assert (inbox.facts, told) == ([], [])


@pytest.mark.parametrize("text", ["nan", "-1", "abc", "1e99"])
def test_what_is_no_amount_is_no_volume(text: str) -> None:
    assert atoms_of(text, 8) is None


def test_an_amount_is_rounded_down_to_whole_atoms() -> None:
    assert atoms_of("1.2E+3", 2) == 120_000
    assert atoms_of("0.129", 2) == 12


# --- in the engine --------------------------------------------------------------------------------


def of(world: World) -> Steward:
    found = world.engine.neighbours.treasurer
    assert isinstance(found, Steward)
    return found


def seen(world: World, tokens: int) -> VolumeSeen:
    return VolumeSeen(at_ns=world.now, who="venue", venue=VENUE, asset="BTT", atoms=tokens * UNIT)


def test_the_engine_takes_a_venues_word_and_journals_it_not() -> None:
    world = quoting(**kwargs())
    kept = len(world.records)
    world.deliver(seen(world, 5_000))
    assert of(world).treasury.holdings.facts().volume(VENUE, "BTT") == 5_000 * UNIT
    assert not [one for one in world.records[kept:] if isinstance(one, VolumeSeen)]


def test_the_engine_counts_public_trades_as_long_as_it_hears_them() -> None:
    world = quoting(**kwargs())
    for turn in range(130):
        world.deliver(
            Trade(market=MARKET, at_ns=world.now, trade_id=10**9 + turn, tick=62, lots=1_000,
                  aggressor=Side.BUY)
        )  # fmt: skip
        world.run(1)
    told_of = of(world).treasury.holdings.facts().volumes[VENUE, "BTT"]
    assert told_of.is_tally
    assert 60 * S <= told_of.heard_ns <= 140 * S
    assert told_of.atoms >= 60 * 1_000 * UNIT
    assert of(world).treasury.holdings.facts().volume(VENUE, "BTT") is None


def test_who_asks_is_told_the_volume_and_how_much_of_it_was_heard() -> None:
    world = quoting(**kwargs())
    world.deliver(seen(world, 5_000))
    made = of(world)
    plain = account_view([world.maker], "2026-11-21T12:00:00Z", {})
    picture = made.account(plain, lambda _: "2026-11-21T12:00:00Z")
    copy = Holdings(made.treasury.holdings.scheme)
    list(told(copy, parse_facts(picture, "e"), "e"))
    assert copy.facts().volume(VENUE, "BTT") == 5_000 * UNIT
    assert BTT.venue == VENUE


def test_a_back_test_counts_the_same_trades_on_either_way() -> None:
    facts = market_facts(seconds=130)
    setup = msgspec.structs.replace(builders.setup(), own_orders_show=False)

    def counted(*, is_fast: bool) -> Volume:
        engine = builders.engine([setup], steward=steward())
        run = backtest(engine, watch=None if is_fast else (lambda event, step: None))
        if is_fast:
            run.run_blocks(blocks_of(facts, run.lanes, 1_000))
        else:
            run.run(facts)
        found: Volume = engine.neighbours.treasurer.treasury.holdings.facts().volumes[VENUE, "BTT"]
        return found

    assert counted(is_fast=True) == counted(is_fast=False)
    assert counted(is_fast=True).atoms > 0
