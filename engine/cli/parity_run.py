"""A recorded session beside the same orders in simulation and beside its own back-test."""

from collections import Counter

import msgspec

from engine.cli.backtest_data import Data, data_of
from engine.cli.backtest_flags import queue_of
from engine.cli.backtest_run import Ran, Wanted, run_backtest
from engine.cli.rebuild import config_of
from engine.runtime.recording import Session, entries
from engine.sim.account import Account
from engine.sim.parity import SameOrders, Simulated
from engine.sim.parity_free import Stance, lots_by_trade, stance_of
from engine.sim.parity_live import Key, Lived, arrivals, has_venue_clock, lived
from engine.sim.parity_why import Pair, Parity, Row, pairs
from engine.values.errors import UserError
from engine.values.instrument import Instrument
from engine.values.units import Lot, Ns

AMPLE_ATOMS = 10**40
"""Money was no limit to orders that a venue took; the simulation must not make it one."""
NS_PER_US = 1_000


class Sides(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a parity report is made of. `free_lots` are the back-test's, by trade.

    `way_ns` is half of the middle way there and back, in whole microseconds; the back-test takes it
    for every way.
    """

    epoch: int
    queue: str
    way_ns: Ns
    by_venue_clock: bool
    instruments: dict[str, Instrument]
    lived: Lived
    simulated: Simulated
    rows: list[Row]
    pairs: list[Pair]
    free: Ran
    free_lots: Counter[Key]
    free_stances: dict[Key, Stance]

    def matched(self, market: str) -> tuple[Lot, Lot]:
        """Lots that were filled by the same trades in reality and in each of the two others."""
        mine = [row for row in self.rows if row.key[0] == market]
        same = sum(min(row.real_lots, row.simulated_lots) for row in mine)
        real: Counter[Key] = Counter()
        for row in mine:
            real[row.key] += row.real_lots
        return same, sum(min(lots, self.free_lots[key]) for key, lots in real.items())


def sides_of(session: Session, queue: str) -> Sides:
    """Raises UserError for a session that cannot be read or in which no order was answered."""
    model = queue_of(queue)
    real = lived(entries(session))
    ways = real.answers_ns()
    if not ways:
        raise UserError(f"{session.files[0]}: no order of this session was answered")
    way_ns = max(1, ways[len(ways) // 2] // 2 // NS_PER_US) * NS_PER_US
    data = data_of(config_of(session.header), [session.files[0]], session.header.epoch)
    by_venue_clock = has_venue_clock(real)
    money = {name: AMPLE_ATOMS for i in data.instruments.values() for name in (i.base, i.quote)}
    account = Account(data.instruments.values(), money, model)
    feed_ns = None if by_venue_clock else way_ns
    run = SameOrders(account, feed_ns)
    simulated = run.run(data.facts(), arrivals(real), set(data.instruments))
    free = _backtest(session, data, queue, way_ns)
    free_fills = (fill for each in free.result.markets.values() for fill in each.fills)
    free_lots = lots_by_trade(free_fills, real.trades.values(), way_ns)
    return Sides(
        epoch=session.header.epoch,
        queue=queue,
        way_ns=way_ns,
        by_venue_clock=by_venue_clock,
        instruments=data.instruments,
        lived=real,
        simulated=simulated,
        rows=Parity(real, simulated).rows(),
        pairs=list(pairs(real, simulated, feed_ns)),
        free=free,
        free_lots=free_lots,
        free_stances=_stances(real, free, free_lots, way_ns),
    )


def _backtest(session: Session, data: Data, queue: str, way_ns: Ns) -> Ran:
    """The session's own config on its own market, every way as long as the middle one was."""
    way = f"{way_ns // NS_PER_US}us"
    wanted = Wanted(queue=queue, latency=way, feed=way)
    return run_backtest(config_of(session.header), "the recorded config", data, wanted)


def _stances(real: Lived, free: Ran, lots: Counter[Key], way_ns: Ns) -> dict[Key, Stance]:
    """Of each trade that filled an order in reality or in the back-test."""
    filled: Counter[Key] = Counter()
    for key, fill in real.fills.items():
        filled[key] += fill.lots
    return {
        key: stance_of(trade, free.trails[key[0]], (filled[key], lots[key]), way_ns)
        for key, trade in real.trades.items()
        if (filled[key] or lots[key]) and key[0] in free.trails
    }
