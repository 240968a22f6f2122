"""The fixtures that authors get: a clock moved by hand, a venue with faults, a replay."""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest

from engine.cli.new_market import facts_of, write_capture
from engine.cli.pytest_plugin import clock, replay, sim_venue  # noqa: F401 (fixtures, by name)
from engine.cli.sim_venue import Clock, OpenOrder, SimVenue
from engine.sim.trial_faults import FAULTS
from engine.trading.strategy import Ladder, Side, Wake
from engine.values.errors import UserError
from engine.values.units import NS_PER_S
from strategies.fixed import FixedParams, FixedStrategy
from tests.sim.venue import BTT

SPEC = Path(__file__).resolve().parents[2] / "shared" / "spec" / "faults.md"
WIDE = {"half_spread_ticks": 0.75, "step_ticks": 0.0, "lots": 10_000_000}
PULLS = ("F01", "F08", "F09", "F10", "F11", "F21", "P01", "K06", "D01", "U02")
"""Faults after which no quote of ours may stand before they are over."""


class Broken:
    """Raises on purpose."""

    Params: ClassVar = FixedParams
    wake = Wake()

    def __init__(self, params):
        self.params = params

    def quote(self, view):
        raise ZeroDivisionError("on purpose")


class Fickle:
    """Remembers in the class what it quoted before: a second run differs."""

    Params: ClassVar = FixedParams
    wake = Wake()
    asked: ClassVar = [0]

    def __init__(self, params):
        self.inner = FixedStrategy(params)

    def quote(self, view):
        self.asked[0] += 1
        if self.asked[0] > 20:
            return Ladder(bids_absent="tired", asks_absent="tired")
        return self.inner.quote(view)


@pytest.fixture
def quoting(sim_venue, clock):  # noqa: F811 (fixtures)
    """A venue in whose market we have quoted for some seconds."""
    sim_venue.trade(FixedStrategy, seed=2, **WIDE)
    clock.pass_s(20)
    return sim_venue


def positions_agree(venue):
    keeper = venue.trial.engine.keepers[venue.trial.venue]
    return keeper.position_lots(venue.trial.market) == venue.position_lots


def test_nothing_happens_until_the_clock_is_moved(sim_venue, clock):  # noqa: F811
    sim_venue.trade(FixedStrategy, **WIDE)
    assert (sim_venue.orders, sim_venue.decisions) == ([], [])
    clock.pass_s(4)
    assert sim_venue.reason == "risk: volatility: not known"
    clock.pass_s(2)
    assert sim_venue.state == "QUOTING"
    assert {order.side for order in sim_venue.orders} == {Side.BUY, Side.SELL}


def test_the_same_seed_is_the_same_story_however_the_clock_is_moved():
    stories = []
    for steps in ((60,), (0.5,) * 120):
        own = Clock()
        venue = SimVenue(own)
        venue.trade(FixedStrategy, seed=4, **WIDE)
        for step in steps:
            own.pass_s(step)
        stories.append((venue.fills, venue.decisions, venue.orders))
    assert stories[0] == stories[1]
    assert stories[0][0]


def test_time_does_not_go_back(clock):  # noqa: F811
    with pytest.raises(AssertionError, match="does not go back"):
        clock.pass_s(-1)


def test_a_view_can_be_had_before_anything_is_quoted_and_changed(sim_venue):  # noqa: F811
    view = sim_venue.view(position_lots=7)
    assert view.position_lots == 7
    assert 0 < view.bid_tick < view.ask_tick
    with pytest.raises(TypeError):
        sim_venue.view(no_such_field=1)


def test_what_is_asked_too_early_says_what_to_do(sim_venue):  # noqa: F811
    with pytest.raises(AssertionError, match=r"call sim_venue\.trade"):
        _ = sim_venue.orders
    assert repr(sim_venue) == "<sim venue, nothing quoted>"


def test_a_strategy_that_raises_is_seen_in_the_state(sim_venue, clock):  # noqa: F811
    sim_venue.trade(Broken, **WIDE)
    clock.pass_s(5)
    assert sim_venue.state == "HALTED"
    assert "on purpose" in repr(sim_venue)


def test_wrong_params_are_named(sim_venue):  # noqa: F811
    with pytest.raises(UserError, match=r"markets\[0\]\.params\.lotz: unknown key"):
        sim_venue.trade(FixedStrategy, **WIDE, lotz=1)


@pytest.mark.parametrize("fault", FAULTS)
def test_after_any_fault_books_agree_and_it_quotes_again(quoting, clock, fault):  # noqa: F811
    before = len(quoting.fills)
    quoting.strike(fault)
    clock.pass_s(FAULTS[fault].seconds + 40)
    if FAULTS[fault].is_latched:
        assert quoting.orders == []
        quoting.resume()
        clock.pass_s(5)
    assert quoting.state == "QUOTING", quoting.reason
    assert positions_agree(quoting)
    clock.pass_s(40)
    assert len(quoting.fills) > before


@pytest.mark.parametrize("fault", PULLS)
def test_a_fault_that_blinds_the_engine_pulls_its_quotes(quoting, clock, fault):  # noqa: F811
    assert quoting.orders
    quoting.strike(fault)
    gone = False
    for _ in range(60):
        clock.pass_s(0.1)
        gone |= not quoting.orders
    assert gone


def test_lost_acks_are_found_out_and_counted(quoting, clock):  # noqa: F811
    quoting.strike("O02", seconds=15)
    clock.pass_s(15)
    assert positions_agree(quoting)
    clock.pass_s(10)
    ours = quoting.trial.engine.keepers["loopback"].orders.live(quoting.trial.market)
    assert sorted((o.side, o.tick) for o in ours) == sorted(
        (o.side, o.tick) for o in quoting.orders
    )


def test_one_way_flow_stops_at_the_cap(quoting, clock):  # noqa: F811
    bands = quoting.view().bands
    quoting.strike("R02", seconds=60)
    clock.pass_s(60)
    assert bands.target_lots < quoting.position_lots <= bands.cap_lots


def test_an_id_without_a_preset_is_named_and_every_preset_is_in_the_list(quoting):
    with pytest.raises(UserError, match="no preset for fault 'F99'; there are: F01"):
        quoting.strike("F99")
    if SPEC.exists():
        known = SPEC.read_text()
        assert all(f"| {fault} |" in known for fault in FAULTS)


def test_orders_are_what_the_venue_holds(quoting):
    order = quoting.orders[0]
    assert isinstance(order, OpenOrder)
    assert order.lots <= WIDE["lots"]
    assert quoting.view().own_ticks(order.side) == (order.tick,)


def test_a_replay_of_a_synthetic_market_trades_and_repeats(replay):  # noqa: F811
    ran = replay(FixedStrategy, seed=3, **WIDE)
    (tally,) = ran.result.markets.values()
    assert tally.fills
    assert ran.assumed["data"] == "synthetic market"
    assert replay(FixedStrategy, seed=4, **WIDE).result.digest != ran.result.digest


def test_a_replay_of_a_file_is_its_back_test(replay, tmp_path):  # noqa: F811
    file = tmp_path / "market.gz"
    write_capture(file, BTT, facts_of("btt-thin", 3, 60 * NS_PER_S))
    ran = replay(FixedStrategy, file, **WIDE)
    assert ran.assumed["data"] == "wire capture"
    assert ran.result.decided > 5


def test_a_replay_finds_what_one_run_leaves_to_the_next(replay):  # noqa: F811
    with pytest.raises(AssertionError, match="decision 1"):
        replay(Fickle, **WIDE)


def test_the_plugin_costs_a_project_without_engine_tests_nothing():
    code = "import engine.cli.pytest_plugin, sys; print(*sorted(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(told.stdout.split())
    assert not {"numpy", "msgspec", "engine.core", "engine.market.book"} & loaded


def test_its_entry_point_names_a_module_with_the_fixtures():
    points = entry_points(group="pytest11", name="ballast")
    if not points:
        pytest.skip("installed before the plugin was: pip install -e . again")
    module = next(iter(points)).load()
    assert {"clock", "sim_venue", "replay"} <= set(dir(module))


def test_a_preset_says_what_it_does():
    assert all(preset.says and preset.seconds >= 0 for preset in FAULTS.values())
    assert msgspec.structs.asdict(FAULTS["F01"])["begin"]
