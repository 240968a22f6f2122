"""The treasury in the whole pure engine: what it releases is what is quoted, at once, and again
after a kill. `tests/sim` is the venue."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from engine.trading.conversion_desk import STRATEGY as CONVERSION
from engine.trading.standing import MarketState
from engine.trading.steward import Steward
from engine.treasury.bands import Bands
from engine.values.commands import CancelAll, Place
from engine.values.events import BookLost, Fill
from engine.values.records import HedgeMoved, OrderIntent
from engine.values.treasury_words import FloatSet, LimitMoved, LimitWidened
from engine.values.units import BUY, NS_PER_S, SELL
from tests.sim import builders
from tests.sim.calm import places, quoting, until
from tests.sim.scenario import play
from tests.sim.venue import BTT, MARKET
from tests.sim.world import START_NS, World
from tests.steward_builders import (
    LIMITS,
    TARGET,
    UNIT,
    VENUE,
    exposure,
    halted,
    kwargs,
    limits,
    owed,
    steward,
    turnover,
    wallet,
)

ROOT = Path(__file__).resolve().parent.parent
M = 1_000_000
DAY_S = 86_400


def of(world: World) -> Steward:
    found = world.engine.neighbours.treasurer
    assert isinstance(found, Steward)
    return found


def bands(world: World) -> Bands:
    return world.maker.quoter.bands


def doubt(world: World) -> str:
    return world.maker.standing.doubts.get("treasury", "")


def sides(world: World) -> set:
    return {order.side for order in world.keeper.orders.live(MARKET)}


def tell(world: World, fact) -> list:
    """One fact; the commands that it alone led to."""
    before = len(world.seen_commands)
    world.deliver(fact)
    return [command for _, command in world.seen_commands[before:]]


# --- bands --------------------------------------------------------------------------------------


def test_what_is_released_narrows_the_bands_of_the_config_and_never_widens_them():
    world = quoting(**kwargs())
    assert bands(world).floor_lots == 160 * M, "80 % of the float"
    assert bands(world).cap_lots == builders.CAP
    assert sides(world) == {BUY, SELL}


def test_the_gate_and_what_strategies_see_follow_the_bands():
    world = quoting(**kwargs())
    assert world.maker.view.bands == bands(world)
    share = builders.WORST_SHARE
    position_lots = world.keeper.position_lots(MARKET)
    world.run(1)
    caps = world.maker.quoter.gate._caps[world.maker.quoter.grade]
    target = bands(world).target_lots
    assert caps.position_lots_least == target - int((target - 160 * M) * share)
    assert position_lots > caps.position_lots_least


def test_selling_stops_at_the_lower_band_of_the_float():
    world = quoting(**kwargs())
    least = TARGET
    for _ in range(30):
        if any(row.order.side is SELL for row in world.venue.open_rows()):
            world.venue.fill_ours(SELL)
        world.run(1)
        least = min(least, world.keeper.position_lots(MARKET))
    assert 160 * M <= least < 170 * M


def test_nothing_is_quoted_before_the_limits_are_read():
    world = World(1, steward=steward([limits()]))
    world.run(5)
    assert not places(world)
    assert doubt(world) == f"not read yet: {LIMITS}"
    assert world.maker.state[0] is MarketState.PULLED
    tell(world, limits(at_ns=world.now))
    until(world, MarketState.QUOTING)


def test_nothing_is_quoted_before_every_float_has_been_seen():
    world = World(1, **kwargs(elsewhere="1000"))
    world.run(5)
    assert not places(world)
    assert world.maker.state == (MarketState.PULLED, "treasury: not seen yet: BTT at elsewhere")


def test_an_obligation_that_takes_the_float_stops_the_selling_at_once():
    world = quoting(**kwargs())
    commands = tell(world, owed(world.now, (5, 60 * M)))
    # 60 of 200 are reserved, which leaves 140 of float: less than 160.
    assert bands(world).floor_lots >= world.keeper.position_lots(MARKET)
    gone = {command.client_id for command in commands if not isinstance(command, CancelAll)}
    assert {order.client_id for order in world.keeper.orders.live(MARKET) if order.side is SELL}
    assert gone >= {
        order.client_id for order in world.keeper.orders.live(MARKET) if order.side is SELL
    }
    world.run(2)
    assert sides(world) == {BUY}
    assert world.maker.state[0] is MarketState.QUOTING


def test_what_lies_elsewhere_frees_the_float():
    world = quoting(**kwargs())
    tell(world, owed(world.now, (5, 60 * M)))
    tell(world, wallet(world.now, 60 * M))
    assert bands(world).floor_lots == 160 * M
    world.run(2)
    assert sides(world) == {BUY, SELL}


def test_an_obligation_is_reserved_as_its_day_comes_near(monkeypatch):
    """Ten days are reserved; one that is due in eleven counts from midnight on."""
    midnight_ns = 19_700 * DAY_S * NS_PER_S
    monkeypatch.setattr("tests.sim.world.START_NS", midnight_ns - 8 * NS_PER_S)
    world = quoting(**kwargs())
    tell(world, owed(world.now, (11, 60 * M)))
    world.run_until(midnight_ns - NS_PER_S // 10)
    assert bands(world).floor_lots == 160 * M
    world.run(3)
    assert bands(world).floor_lots >= world.keeper.position_lots(MARKET)
    assert sides(world) == {BUY}


def test_a_halted_venue_is_pulled_with_its_reason_and_quoted_again_afterwards():
    world = quoting(**kwargs())
    commands = tell(world, halted(world.now, VENUE))
    assert any(isinstance(command, CancelAll) for command in commands)
    assert world.maker.state[0] is MarketState.PULLED
    assert doubt(world).startswith("nothing released of BTT: sells lower band, buys ")
    world.run(2)
    assert not sides(world)
    tell(world, halted(world.now))
    until(world, MarketState.QUOTING)
    assert doubt(world) == ""


def test_a_tighter_limit_acts_in_the_same_step():
    world = quoting(**kwargs(exposure(400 * M)))
    tell(world, owed(world.now, (2_000, 999 * M)))
    world.run(1)
    before = bands(world).cap_lots
    commands = tell(world, limits(exposure(201 * M), at_ns=world.now))
    position_lots = world.keeper.position_lots(MARKET)
    assert bands(world).cap_lots == position_lots + (
        201 * M - of(world).treasury.holdings.facts().working[VENUE, "BTT"] // UNIT
    )
    assert bands(world).cap_lots < before
    assert commands
    world.run(2)
    room = bands(world).cap_lots - world.keeper.position_lots(MARKET)
    assert world.keeper.orders.sums(MARKET).working_bid_lots <= room


def test_a_wider_limit_waits_for_a_second_person():
    world = quoting(**kwargs(exposure(201 * M)))
    tell(world, owed(world.now, (2_000, 999 * M)))
    world.run(1)
    before = bands(world).cap_lots - world.keeper.position_lots(MARKET)
    step = world.engine.process(limits(exposure(400 * M), at_ns=world.now))
    assert [alert.text for alert in step.alerts if "second person" in alert.text]
    assert bands(world).cap_lots - world.keeper.position_lots(MARKET) <= before
    assert of(world).told(MARKET)["waiting"] == ["exposure"]


def test_a_limit_that_is_passed_is_a_record_and_an_alarm():
    world = quoting(**kwargs(exposure(400 * M)))
    tell(world, owed(world.now, (2_000, 999 * M)))
    world.run(61)  # nothing was owed before, so it was passed: people hear that it holds
    step = world.engine.process(limits(exposure(150 * M), at_ns=world.now))
    [moved] = [record for record in step.records if isinstance(record, LimitMoved)]
    assert (moved.limit, moved.breached, moved.fact) == ("exposure", True, LIMITS)
    assert any(alert.level == "critical" and "exposure" in alert.text for alert in step.alerts)
    assert of(world).told(MARKET)["passed"] == ["exposure"]
    assert bands(world).cap_lots == world.keeper.position_lots(MARKET)


def test_turnover_that_is_spent_ends_the_trading():
    world = World(1, **kwargs(turnover(1)))
    world.run(5)
    assert not places(world)
    assert doubt(world) == "nothing released of BTT: sells turnover, buys turnover"


@pytest.mark.parametrize(("tokens", "step_s"), [(10 * M, 0.05), (20 * M, 0.02), (40 * M, 0.005)])
def test_no_fill_on_one_side_lets_the_other_pass_what_is_left_of_the_turnover(tokens, step_s):
    """The quotes that follow a fill are decided on with what it left, and not before."""
    world = quoting(**kwargs(turnover(tokens)))
    side = SELL
    while "turnover" not in doubt(world) and world.now < START_NS + 20 * NS_PER_S:
        if any(row.order.side is side for row in world.venue.open_rows()):
            world.venue.fill_ours(side)
            side = BUY if side is SELL else SELL
        world.run(step_s)
    spent = of(world).treasury.holdings.facts().spent["BTT"].atoms
    assert tokens * UNIT // 2 < spent <= tokens * UNIT


def test_a_market_whose_book_is_lost_has_no_price_to_buy_at():
    world = quoting(**kwargs())
    world.deliver(BookLost(market=MARKET, at_ns=world.now, reason="test"))
    found = of(world).told(MARKET)
    assert (found["buy_bound_by"], found["buy"]) == ("no price", "0")
    assert found["sell_bound_by"] == "lower band"


def test_a_statement_about_our_own_venue_is_passed_over():
    world = quoting(**kwargs())
    held = of(world).treasury.holdings.held(VENUE, "BTT")
    lie = msgspec.structs.replace(wallet(world.now, 1), place=VENUE)
    assert tell(world, lie) == []
    assert of(world).treasury.holdings.held(VENUE, "BTT") == held


def test_a_market_that_is_not_paid_in_the_treasurys_money_is_never_quoted():
    other = msgspec.structs.replace(BTT, symbol="BTT/TRX", venue_symbol="BTTTRX", quote="TRX")
    made = builders.engine([builders.setup(instrument=other)], steward=steward())
    assert made.makers[other.market].standing.doubts["treasury"] == (
        "BTT/TRX@loopback is not paid in USDT"
    )


def test_a_widening_that_nobody_waits_for_is_an_alarm_and_changes_nothing():
    world = quoting(**kwargs(exposure(201 * M)))
    word = LimitWidened(at_ns=world.now, action="a", name="exposure", row=exposure(400 * M))
    step = world.engine.process(word)
    assert [alert.level for alert in step.alerts] == ["critical"]
    assert of(world).treasury.limits.rows == [exposure(201 * M)]


def test_an_approved_widening_holds_at_once_and_after_a_restart():
    world = quoting(**kwargs(exposure(201 * M)))
    tell(world, owed(world.now, (2_000, 999 * M)))
    tell(world, limits(exposure(400 * M), at_ns=world.now))
    before = bands(world).cap_lots
    tell(world, LimitWidened(at_ns=world.now, action="a", name="exposure", row=exposure(400 * M)))
    assert bands(world).cap_lots > before
    again = builders.engine(epoch=10**6, past=list(world.records), steward=steward([limits()]))
    assert again.neighbours.treasurer.treasury.limits.rows == [exposure(400 * M)]


# --- each fill once, and the same again ---------------------------------------------------------


def same_tokens(world: World) -> None:
    """The treasury holds what the ledger holds, and the float has moved by our fills alone."""
    holdings, portfolio = of(world).treasury.holdings, world.keeper.portfolio
    for name in ("BTT", "USDT"):
        assert holdings.held(VENUE, name) == portfolio.balance(name), name
    opened = [r for r in world.records if isinstance(r, FloatSet) and r.asset == "BTT"]
    assert len(opened) == 1
    fills = [record for record in world.records if isinstance(record, Fill)]
    moved = sum(fill.side.sign * fill.lots * UNIT for fill in fills)
    paid = sum(fill.fee_atoms for fill in fills if fill.fee_asset == "BTT")
    working = holdings.facts().working[VENUE, "BTT"]
    assert working == opened[0].atoms + moved - paid


def test_each_fill_counts_once_on_whatever_path_it_comes():
    world = quoting(seed=3, **kwargs())
    world.run(60)
    assert len(world.venue.fills) > 10
    same_tokens(world)
    spent = of(world).treasury.holdings.facts().spent["BTT"]
    assert spent.atoms == sum(fill.lots for fill in world.venue.fills) * UNIT


@pytest.mark.parametrize("seed", range(400, 412))
def test_bad_weather_and_kills_leave_the_treasury_with_what_the_venue_has(seed):
    world = play(seed, **kwargs(turnover(10_000 * M)))
    same_tokens(world)
    assert of(world).treasury.holdings.held(VENUE, "BTT") == world.venue.base_atoms


def test_a_restart_knows_floats_limits_debts_and_turnover_again():
    world = quoting(seed=3, **kwargs(exposure(400 * M)))
    tell(world, owed(world.now, (2_000, 999 * M)))
    world.run(20)
    tell(world, limits(exposure(300 * M), at_ns=world.now))
    tell(world, limits(exposure(350 * M), at_ns=world.now))
    world.run(20)
    live = of(world).treasury
    again = builders.engine(epoch=10**6, past=list(world.records), steward=steward([limits()]))
    rebuilt = again.neighbours.treasurer.treasury
    facts, theirs = live.holdings.facts(), rebuilt.holdings.facts()
    for field in ("working", "obligations", "locks", "spent"):
        assert getattr(theirs, field) == getattr(facts, field), field
    assert rebuilt.limits.rows == live.limits.rows
    assert [each.name for each in rebuilt.waiting] == ["exposure"]
    assert rebuilt.limits.references == live.limits.references
    assert again.makers[MARKET].standing.doubts["treasury"] == f"not read yet: {LIMITS}"


def test_a_killed_engine_quotes_within_the_same_bands_again():
    world = quoting(seed=3, **kwargs())
    tell(world, owed(world.now, (5, 20 * M)))
    world.run(20)
    kept = of(world).treasury.holdings.facts().working
    world.durable = len(world.records)
    world.kill()
    world.run_while(lambda: not world.alive, 5)
    tell(world, owed(world.now, (5, 20 * M)))
    until(world, MarketState.QUOTING)
    fills = [r for r in world.records if isinstance(r, Fill)]
    assert kept[VENUE, "BTT"]
    assert bands(world).floor_lots >= 160 * M
    assert len({fill.trade_id for fill in fills}) == len(fills)
    same_tokens(world)


def test_the_same_seed_makes_the_same_trace_with_a_treasury():
    made = [play(5, traced=True, bad_s=10, **kwargs()).trace.hexdigest() for _ in range(2)]
    assert made[0] == made[1]


def test_the_fills_of_a_conversion_are_turnover_and_leave_the_float_as_it_is():
    world = quoting(**kwargs())
    before = of(world).treasury.holdings.facts().working[VENUE, "BTT"]
    made = of(world)
    place = Place(
        market=MARKET, client_id="c1", side=SELL, tick=60, lots=5, at_ns=world.now, post_only=False
    )
    made.remember(OrderIntent(order=place, decision=0, strategy=CONVERSION, config_hash=""))
    made.remember(a_fill(world, "c1", 10**9))
    facts = made.treasury.holdings.facts()
    assert facts.working[VENUE, "BTT"] == before
    assert facts.spent["BTT"].atoms >= 5 * UNIT
    made.remember(a_fill(world, "somebody", 10**9 + 1))
    assert made.treasury.holdings.facts().working[VENUE, "BTT"] == before - 5 * UNIT


def a_fill(world: World, client_id: str, trade_id: int) -> Fill:
    return Fill(
        market=MARKET,
        client_id=client_id,
        venue_id="v",
        trade_id=trade_id,
        at_ns=world.now,
        venue_ns=world.now,
        side=SELL,
        tick=60,
        lots=5,
        fee_atoms=0,
        fee_asset="USDT",
        is_maker=True,
    )


def test_what_hedges_cover_is_no_exposure():
    world = quoting(**kwargs(exposure(400 * M)))
    moved = HedgeMoved(
        market=MARKET, at_ns=world.now, stage=1, stance="staged", target_lots=7, covered_lots=7,
        converted_lots=0, unhedged_lots=0, why="", spent="0", budget="0",
    )  # fmt: skip
    of(world).remember(moved)
    assert of(world).treasury.holdings.facts().covered == {"BTT": 7 * UNIT}


# --- what it costs ------------------------------------------------------------------------------


def test_a_book_change_is_no_business_of_the_treasury():
    """Nothing of it is worked on until the next second, or until the price has jumped."""
    world = quoting(**kwargs())
    looked = of(world).treasury._looked_ns
    asked = []
    holdings = of(world).treasury.holdings
    holdings.facts = lambda made=holdings.facts: asked.append(1) or made()
    began = world.processed
    world.run(5)
    assert of(world).treasury._looked_ns > looked
    fills = len(world.venue.fills)
    assert len(asked) < 5 * 4 + 4 * fills + 20, (len(asked), world.processed - began)
    assert world.processed - began > 2 * len(asked)


def test_an_engine_without_a_treasury_takes_its_words_without_a_murmur():
    world = quoting()
    step = world.engine.process(limits(at_ns=world.now))
    assert (step.records, step.commands, step.alerts) == ([], [], [])
    assert bands(world) == builders.BANDS


def test_an_engine_without_a_treasury_does_not_even_import_one():
    script = "import sys, engine.cli.assemble, engine.cli.backtest_run; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    heavy = {"engine.trading.steward", "engine.treasury.treasury", "engine.runtime.treasury_file"}
    assert not heavy & set(done.stdout.split())
