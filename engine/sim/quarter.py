"""A quarter of the whole treasury in one pure function: facts in, decisions, and what came of it.

Each step of six hours: the markets open at the price of the path, what is due is paid, the market
maker trades within what is released, people and engine do what the policy says, what is allowed is
carried out on the matching core. Ratings may be shown beside; nothing here hears of them.
"""

import hashlib
from random import Random

import msgspec

from engine.sim.quarter_excess import Excess
from engine.sim.quarter_hands import Hands
from engine.sim.quarter_orders import Orders
from engine.sim.quarter_rules import Rules
from engine.sim.quarter_setup import (
    BEGIN_NS,
    BTT,
    STEP_NS,
    STEPS_OF_DAY,
    USDT,
    QuarterSetup,
)
from engine.sim.quarter_staff import Staff
from engine.sim.quarter_world import MARKETS, World
from engine.treasury.dates import begin_ns
from engine.treasury.holdings import Traded
from engine.values.action_records import ActionRecord
from engine.values.execution_records import ExecutionRecord
from engine.values.records import Record
from engine.values.units import Atoms, Ns, Side

QUOTE_LOTS_MAX = 2_500_000
CHECK_STEP = 1
"""The daily round is made at the second step: six in the morning."""


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """One obligation that fell due. `paid_ns` is 0 for one that was not paid."""

    name: str
    due_ns: Ns
    paid_ns: Ns

    @property
    def is_on_time(self) -> bool:
        """At the first moment of its day."""
        return 0 < self.paid_ns <= self.due_ns


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`decisions` is SHA-256 over every record of desk and execution, in their order.

    unproved: what a place holds and the books cannot explain. refused: words that the desk refused.
    """

    world: World
    orders: Orders
    payments: tuple[Payment, ...]
    refused: tuple[str, ...]
    ladders: tuple[str, ...]
    unproved: tuple[str, ...]
    ratings: tuple[str, ...]
    decisions: str

    @property
    def late(self) -> list[str]:
        return [one.name for one in self.payments if not one.is_on_time]


def run(setup: QuarterSetup) -> Outcome:
    """The same setup is the same quarter, to the last record."""
    world = World(setup)
    world.begin()
    staff, orders = Staff(world), Orders(world)
    hands, rules = Hands(world, orders), Rules(world, staff)
    excess = Excess(world, staff, rules)
    dice, ratings = Random(f"{setup.seed} maker"), []
    for step in range(setup.days * STEPS_OF_DAY + 1):
        world.now_ns = max(world.now_ns, BEGIN_NS + step * STEP_NS)
        if setup.signals is not None:
            ratings.append(setup.signals(world.now_ns, world.prices[step]))
        world.open_markets(step)
        hands.arrive()
        rules.pay()
        rules.watch()
        _quote(world, dice)
        if step % STEPS_OF_DAY == CHECK_STEP:
            excess.daily()
            rules.daily()
        staff.sign_all()
        world.take(world.desk.begin(world.now_ns))
        hands.carry_out()
        world.treasury.holdings.check()
    unproved = tuple(world.read_all())
    world.books.check()
    return Outcome(
        world=world,
        orders=orders,
        payments=_payments(world, rules),
        refused=tuple(staff.refused),
        ladders=tuple(rules.ladders),
        unproved=unproved,
        ratings=tuple(ratings),
        decisions=_digest(world.records),
    )


def _quote(world: World, dice: Random) -> None:
    """The market maker's quotes are met at random, within what the treasury releases."""
    for base, venue in MARKETS:
        lots, is_buy = dice.randrange(QUOTE_LOTS_MAX), dice.random() < 0.5
        market = f"{base}/{USDT}@{venue}"
        if base != BTT or world.is_down(venue) or venue in world.stopped:
            continue
        item = world.markets[market].item
        found = world.treasury.release(venue, base)
        if found is None:
            continue
        room: Atoms = found.buy.atoms if is_buy else found.sell.atoms
        side = Side.BUY if is_buy else Side.SELL
        for done in world.markets[market].make(side, min(lots, room // item.lot_base_atoms)):
            fill = world.fill(market, side, done, (f"q{len(world.records)}", True))
            flow = item.flows(side, done.tick, done.lots)
            traded = Traded(
                at_ns=world.now_ns, venue=venue,
                flows={base: flow[0], USDT: flow[1] - done.fee_atoms}, asset=base,
                atoms=abs(flow[0]), money_atoms=abs(flow[1]),
            )  # fmt: skip
            world.keep(*world.treasury.trade(traded, f"fill {fill.trade_id} at {venue}"))


def _payments(world: World, rules: Rules) -> tuple[Payment, ...]:
    due = [row for row in world.owed.values() if begin_ns(row.due) <= world.setup.end_ns]
    return tuple(
        Payment(name=row.name, due_ns=begin_ns(row.due), paid_ns=rules.paid.get(row.name, 0))
        for row in sorted(due, key=lambda row: (row.due, row.name))
    )


def _digest(records: list[Record]) -> str:
    """Of what was decided: nothing of it may depend on a rating."""
    decided = [row for row in records if isinstance(row, ActionRecord | ExecutionRecord)]
    return hashlib.sha256(msgspec.json.encode(decided)).hexdigest()
