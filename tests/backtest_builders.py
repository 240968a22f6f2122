"""A recorded synthetic market, an engine beside it, and the world that the checker wants to see."""

from types import SimpleNamespace

import msgspec

from engine.sim.account import Account
from engine.sim.backtest import Backtest, Params
from engine.sim.latency import Constant, Latency
from engine.sim.matching.queue import Power
from engine.values.records import OrderIntent
from engine.values.units import NS_PER_MS, NS_PER_S, Side
from tests.sim import builders
from tests.sim.checks import Checks
from tests.sim.venue import BTT, MARKET, Venue, stamped
from tests.sim.world import START_NS

FEED_NS = 4 * NS_PER_MS
OPENING = {"BTT": builders.TARGET * 10**8, "USDT": 300 * 10**8}
FIVE_MS = Latency(up=Constant(5 * NS_PER_MS), down=Constant(5 * NS_PER_MS), feed_ns=FEED_NS)


def market_facts(seconds=20, seed=3, feed_ns=FEED_NS):
    """What a host learns of a thin market in which we have no order, `feed_ns` late."""
    venue, facts = Venue(seed, START_NS, 0, 0), []
    venue.tell_public = lambda fact: facts.append(stamped(fact, venue.now + feed_ns))
    facts.append(stamped(venue.snapshot(), venue.now + feed_ns))
    while venue.now < START_NS + seconds * NS_PER_S:
        venue.now = venue.flow.next_ns(venue.now)
        venue.step_market()
    return facts


def beside(**kwargs):
    """An engine whose own orders are not in the book that it sees."""
    setup = msgspec.structs.replace(builders.setup(**kwargs), own_orders_show=False)
    return builders.engine([setup])


def account(opening=None, model=None):
    return Account([BTT], dict(opening or OPENING), model or Power(1.0))


def backtest(engine=None, seed=1, latency=FIVE_MS, watch=None, mine=None):
    return Backtest(
        engine or beside(),
        {BTT.venue: mine or account()},
        Params(seed=seed, latency=latency),
        watch,
    )


class Checked:
    """Stands where the deterministic world stands for `tests.sim.checks`, and feeds the checker."""

    def __init__(self):
        self.account, self.engine = account(), beside()
        self.records, self.alive, self.now = [], True, START_NS
        self.venue = self
        self.checks = Checks(self)
        self.run = backtest(self.engine, watch=self.watch, mine=self.account)

    def watch(self, event, step):
        self.now = self.run.now_ns
        self.records += step.records
        self.checks.told(event)
        self.checks.decided(event, step)
        self.checks.venue_changed()
        self.account.check()

    # --- what the checker asks of a world

    @property
    def keeper(self):
        return self.engine.keepers[BTT.venue]

    def intents(self, count):
        return {r.order.client_id: r.order for r in self.records if isinstance(r, OrderIntent)}

    # --- what it asks of a venue

    @property
    def by_client(self):
        return {name: _row(order) for name, order in self.account.orders.items()}

    @property
    def fills(self):
        return self.account.fills[MARKET]

    @property
    def base_atoms(self):
        return self.account.atoms["BTT"]

    @property
    def usdt_atoms(self):
        return self.account.atoms["USDT"]

    @property
    def position_lots(self):
        return self.base_atoms // 10**8

    def open_rows(self):
        return [_row(order) for order in self.account.open_orders()]

    def working(self):
        rows = self.account.open_orders()
        bid = sum(row.left_lots for row in rows if row.place.side is Side.BUY)
        return bid, sum(row.left_lots for row in rows) - bid


def _row(order):
    return SimpleNamespace(
        client_id=order.place.client_id, is_open=order.is_open, left=order.left_lots
    )
