"""Two venues on one clock, each with its own account, limits and fees."""

import msgspec

from engine.cli.backtest_flags import terms_of
from engine.core import Engine
from engine.sim.account import Account
from engine.sim.backtest import Backtest, Params, merged
from engine.sim.matching.queue import Power
from engine.values.commands import Place
from engine.values.errors import Failure
from engine.values.events import Fill, OrderFailed, Stop, Trade
from engine.values.units import NS_PER_S
from tests.backtest_builders import FIVE_MS, market_facts
from tests.sim import builders
from tests.sim.venue import BTT

OPENING = {"BTT": builders.TARGET * 10**8, "USDT": 300 * 10**8}
VENUES = ("loopback", "other")
ITEMS = [msgspec.structs.replace(BTT, venue=venue) for venue in VENUES]


def two_venues(watch=None, limits="none", seconds=15):
    """(the back-test, its result) of one strategy on both, with one market a venue."""
    setups = [
        msgspec.structs.replace(builders.setup(instrument=item), own_orders_show=False)
        for item in ITEMS
    ]
    engine: Engine = builders.engine(setups)
    accounts = {
        item.venue: Account([item], dict(OPENING), Power(1.0), terms_of("", "0", limits))
        for item in ITEMS
    }
    facts = [
        [msgspec.structs.replace(fact, market=item.market) for fact in market_facts(seconds, seed)]
        for seed, item in enumerate(ITEMS, 5)
    ]
    stop = Stop(at_ns=max(each[-1].at_ns for each in facts) - 3 * NS_PER_S, who="the test")
    run = Backtest(engine, accounts, Params(seed=1, latency=FIVE_MS), watch)
    return run, run.run(merged([*facts, [stop]]))


def test_two_venues_trade_on_one_clock_and_keep_their_money_apart():
    seen = []
    run, result = two_venues(lambda event, step: seen.append(event))
    moments = [event.at_ns for event in seen]
    assert moments == sorted(moments)
    kinds = [event.market for event in seen if isinstance(event, Trade)]
    assert set(kinds) == {item.market for item in ITEMS}
    for item in ITEMS:
        mine = run.accounts[item.venue]
        mine.check()
        assert result.markets[item.market].fills
        assert {fill.market for fills in mine.fills.values() for fill in fills} == {item.market}
        portfolio = run.engine.keepers[item.venue].portfolio
        assert {asset: portfolio.balance(asset) for asset in mine.atoms} == mine.atoms


def test_both_venues_at_once_are_the_same_with_the_kernel_and_without():
    _, watched = two_venues(lambda event, step: None)
    _, quick = two_venues()
    assert quick.digest == watched.digest


def test_filled_is_never_more_than_what_traded_or_stood_against_us():
    seen = []
    two_venues(lambda event, step: seen.append(event), seconds=25)
    for item in ITEMS:
        traded = sum(e.lots for e in seen if isinstance(e, Trade) and e.market == item.market)
        ours = [e for e in seen if isinstance(e, Fill) and e.market == item.market]
        assert 0 < sum(fill.lots for fill in ours) <= traded
        assert len({fill.trade_id for fill in ours}) == len(ours)


def test_a_venue_that_takes_few_orders_is_waited_for_and_nothing_is_lost():
    seen, commands = [], []

    def watch(event, step):
        seen.append(event)
        commands.extend(c for c in step.commands if isinstance(c, Place))

    run, _ = two_venues(watch, limits="3/1s")
    refused = [event for event in seen if isinstance(event, OrderFailed)]
    limited = [event for event in refused if event.code == "-1015"]
    assert limited
    assert {event.failure for event in limited} == {Failure.TRANSIENT}
    for event in limited:
        own = [c for c in commands if c.market == event.market]
        after = [c.at_ns for c in own if c.at_ns > event.at_ns]
        assert not after or min(after) >= event.at_ns + event.retry_after_ns
    for account in run.accounts.values():
        account.check()
    assert run.engine.is_finished
