"""A book that loses a side for a moment: its last mid is the price until that is too old."""

from engine.runtime.operating import moment_text
from engine.runtime.treasury_facts import parse_facts, told
from engine.trading.account_view import account_view
from engine.trading.steward import Steward
from engine.treasury.holdings import Holdings
from engine.treasury.liquid import LiquidParams, liquid
from engine.treasury.treasury import Treasury
from engine.values.events import BookLost, BookSnapshot, Timer
from engine.values.treasury_words import LimitMoved, Measure
from engine.values.units import NS_PER_S, Ns, Side
from tests.holdings_builders import NOW_NS, book, limit, obligations, owed, scheme, seen, unhedged
from tests.sim.calm import quoting
from tests.sim.venue import MARKET
from tests.sim.world import World
from tests.steward_builders import VENUE, exposure, kwargs, limits
from tests.steward_builders import owed as owed_at
from tests.test_treasury import RICH, bands, policy, treasury
from tests.test_treasury import told as records_of

PARAMS = LiquidParams(token="BTT", within_h=24)


def at(seconds: int) -> Ns:
    return NOW_NS + seconds * NS_PER_S


def one_sided(seconds: int):
    return book("one", bids=[], at_ns=at(seconds))


def ready() -> Treasury:
    made = treasury()
    made.see(book("one"))
    records_of(made, *RICH)
    return made


def test_a_flicker_of_a_thin_book_does_not_move_what_is_released() -> None:
    made = ready()
    before = bands(made)
    made.see(one_sided(1))
    assert bands(made) == before == (480, 550)
    made.see(book("one", at_ns=at(2)))
    assert bands(made) == before


def test_the_last_mid_is_the_price_with_its_own_age_and_no_longer_than_a_price_may_age() -> None:
    made = ready()
    made.see(one_sided(5))
    price = made.holdings.facts().price("BTT")
    assert price is not None
    assert price.at_ns == NOW_NS
    for second in (20, 40, 60):
        made.see(one_sided(second))
        assert bands(made) == (480, 550)
    made.see(one_sided(61))
    assert made.holdings.facts().price("BTT") is None
    assert bands(made) == (480, 500)


def test_nothing_is_sold_into_a_side_that_is_not_there() -> None:
    keeper = Holdings(scheme())
    keeper.learn(seen("one", BTT=100, USDT=7))
    keeper.book(book("one"))
    assert liquid(keeper.facts(), PARAMS).money_atoms > 7
    keeper.book(one_sided(1))
    found = liquid(keeper.facts(), PARAMS)
    assert (found.money_atoms, found.token_atoms is None) == (7, False)


def test_neither_a_flicker_nor_a_lost_price_is_news_of_a_limit_that_needs_one() -> None:
    made = ready()
    buffer = limit(Measure.STABLE_BUFFER, days=14)
    records_of(made, policy(unhedged(), buffer), obligations(owed("a", 5, 100)))
    assert made.see(one_sided(3)) == []
    assert made.see(one_sided(62)) == []
    buffered = made.limits.findings[1]
    assert (buffered.state, buffered.room.money) == ("unknown", 0), "and no room under it"


def test_a_halted_venue_and_a_lost_book_have_no_last_mid() -> None:
    made = ready()
    made.see(one_sided(1))
    made.holdings.lose_book("one", "BTT")
    assert made.holdings.facts().price("BTT") is None


def test_the_lowest_of_two_venues_counts_an_old_mid_too() -> None:
    keeper = Holdings(scheme())
    keeper.book(book("one", bids=[(2, 9)], asks=[(4, 9)]))
    keeper.book(book("two", bids=[(4, 9)], asks=[(6, 9)]))
    keeper.book(one_sided(1))
    price = keeper.facts().price("BTT")
    assert price is not None
    assert price.money_atoms == 3 * price.base_atoms


def test_at_a_start_a_share_of_all_and_the_buffer_are_not_passed_for_want_of_a_price() -> None:
    share = limit(Measure.VENUE_SHARE, name="share", share_ppm=400_000)
    made = treasury()
    rows = policy(limit(Measure.STABLE_BUFFER, days=14), share)
    found = records_of(made, rows, obligations(owed("a", 5, 100)), *RICH)
    assert not [one for one in found if isinstance(one, LimitMoved)]
    assert {one.state for one in made.limits.findings} == {"unknown"}
    found = made.see(book("one", bids=[(900, 9)], asks=[(902, 9)], at_ns=at(1)))
    (moved,) = [one for one in found if isinstance(one, LimitMoved) and one.limit == "share"]
    assert moved.breached, "with a price it is known to be"


# --- in the engine --------------------------------------------------------------------------------


def of(world: World) -> Steward:
    found = world.engine.neighbours.treasurer
    assert isinstance(found, Steward)
    return found


def lose_the_bids(world: World) -> None:
    quoter = world.maker.quoter
    asks = quoter.book.levels(Side.SELL, 50)
    world.deliver(
        BookSnapshot(
            market=MARKET, at_ns=world.now, sequence=quoter.sequence, bids=[], asks=list(asks)
        )
    )
    world.deliver(Timer(at_ns=world.now + NS_PER_S))


def test_the_engine_keeps_what_is_released_while_a_side_is_missing() -> None:
    world = quoting(**kwargs())
    before = of(world).told(MARKET)
    assert int(before["buy"].partition(".")[0]) > 0
    lose_the_bids(world)
    found = of(world).told(MARKET)
    assert (found["sell"], found["buy_bound_by"]) == (before["sell"], before["buy_bound_by"])
    assert int(found["buy"].partition(".")[0]) > 0
    facts = of(world).treasury.holdings.facts()
    assert facts.book(VENUE, "BTT") is None
    assert facts.price("BTT") is not None


def test_who_asks_the_engine_is_told_the_last_mid_with_its_moment() -> None:
    world = quoting(**kwargs())
    lose_the_bids(world)
    made = of(world)
    plain = account_view([world.maker], moment_text(world.now + NS_PER_S), {})
    picture = made.account(plain, moment_text)
    facts = made.treasury.holdings.facts()
    keeper = Holdings(facts.scheme)
    assert "e: last mid of BTT on loopback" in list(told(keeper, parse_facts(picture, "e"), "e"))
    ours, theirs = keeper.facts().price("BTT"), facts.price("BTT")
    assert ours is not None
    assert theirs is not None
    assert ours.at_ns == theirs.at_ns // 1_000 * 1_000
    assert ours.money_atoms / ours.base_atoms == theirs.money_atoms / theirs.base_atoms


def test_a_book_that_is_lost_has_no_price_at_once() -> None:
    world = quoting(**kwargs())
    lose_the_bids(world)
    world.deliver(BookLost(market=MARKET, at_ns=world.now + NS_PER_S, reason="test"))
    assert of(world).told(MARKET)["buy_bound_by"] == "no price"


def test_a_venue_that_falls_silent_passes_no_limit_and_releases_nothing_to_buy() -> None:
    rows = [limit(Measure.STABLE_BUFFER, name="stable", days=14), exposure(10**9)]
    begin = kwargs(*rows) | {
        "begin": lambda now_ns: [limits(*rows, at_ns=now_ns), owed_at(now_ns, (3, 1), (99, 10**9))]
    }
    world = quoting(**begin)
    made = of(world)
    assert {one.state for one in made.treasury.limits.findings} == {"holds"}
    for _ in range(75):
        world.now += NS_PER_S
        world.deliver(Timer(at_ns=world.now))
    assert made.treasury.holdings.facts().price("BTT") is None
    assert {one.state for one in made.treasury.limits.findings} == {"unknown"}
    assert not [one for one in world.records if isinstance(one, LimitMoved)]
    found = made.told(MARKET)
    assert (found["passed"], found["unknown"]) == ([], ["stable", "exposure"])
    assert int(found["buy"].partition(".")[0]) == 0
