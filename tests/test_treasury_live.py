"""A running engine tells the treasury what its account holds and what its market would pay."""

from pathlib import Path

from engine.runtime.operating import Operating, moment_text
from engine.runtime.treasury_facts import parse_facts, scheme_of, told
from engine.runtime.treasury_file import load_treasury
from engine.trading.account_view import book_ns
from engine.treasury.holdings import Holdings
from engine.treasury.liquid import liquid
from engine.values.units import NS_PER_S, Side
from tests.live_world import MARKET, ROOT, live_world


async def test_a_running_engine_is_read_as_a_file_would_be(tmp_path: Path) -> None:
    file = load_treasury(ROOT / "configs" / "treasury.toml")
    async with live_world(tmp_path) as world:
        await world.until(lambda: world.maker.quoter.own, "orders of ours in the book")
        # No await from here on: the picture and what it is held against are of one moment.
        picture = Operating(world.live, "t", "demo").account()
        keeper, quoter = world.maker.keeper, world.maker.quoter
        own, bid_lots = dict(quoter.own), keeper.orders.working_lots(MARKET)[0]
        theirs = quoter.book.levels(Side.BUY, 50)
        balances = keeper.portfolio.expected_balances()
        holdings = Holdings(scheme_of(file))
        named = list(told(holdings, parse_facts(picture, "engine"), "engine"))
    facts = holdings.facts()
    assert "engine: book of BTT on loopback" in named
    assert {asset for _, asset in facts.held} == {"BTT", "USDT"}
    assert facts.held["loopback", "BTT"] == balances["BTT"]
    assert facts.could_fill["loopback", "BTT"] == bid_lots * 10**8
    book = facts.book("loopback", "BTT")
    assert book is not None
    without_own = [lots - own.get((Side.BUY, tick), 0) for tick, lots in theirs]
    shown = [level.atoms // 10**8 for level in book.bids[:50]]
    assert shown == [lots for lots in without_own if lots > 0][: len(shown)]
    assert own
    assert liquid(facts, file.liquid).money_atoms > facts.held["loopback", "USDT"]


async def test_a_quiet_book_is_of_now_and_a_doubted_one_of_when_it_was_heard(
    tmp_path: Path,
) -> None:
    async with live_world(tmp_path) as world:
        await world.quoting()
        later_ns = world.live.clock.now_ns() + 3_600 * NS_PER_S
        assert book_ns(world.maker, later_ns) == later_ns
        world.maker.standing.doubt("stalled", "test")
        assert book_ns(world.maker, later_ns) == world.maker.quoter.book_ns
        world.maker.standing.settle("stalled")


def test_a_moment_is_said_in_whole_microseconds() -> None:
    assert moment_text(NS_PER_S + 1_999) == "1970-01-01T00:00:01.000001+00:00"
