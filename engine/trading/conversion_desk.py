"""Conversions of the treasury at work: each wish of a parent through the gate, one order at a time.

The parents decide (`engine.treasury.execution`), the gate permits (`Gate.approve_sweep`), the order
table counts (`engine.trading.children`). What may be sent stops short of our own quotes.
"""

from typing import assert_never

import msgspec

from engine.trading.children import Children
from engine.trading.client_ids import ClientIds
from engine.trading.conversion_legs import ConversionLeg, child_sent, place_of
from engine.trading.readings import reading_of
from engine.trading.risk_sweep import ApprovedSweep, SweepRefused
from engine.treasury.execution import Parent
from engine.treasury.execution_life import DONE, HANDED_OVER, KILLED, ChildState, ParentEvent
from engine.treasury.execution_params import ExecutionParams
from engine.treasury.execution_sight import Look, MarketSight, Sight, Wish
from engine.treasury.post_trade import Lessons, review
from engine.treasury.switches import Switches
from engine.values.events import Fill, OrderFailed, OrderReport, Trade
from engine.values.execution_records import (
    ChildRefused,
    ChildSent,
    ParentMoved,
    ParentPlan,
    ParentStarted,
    Reviewed,
    Switched,
)
from engine.values.intents import Sweep
from engine.values.records import OrderIntent
from engine.values.step import Step
from engine.values.units import NS_PER_S, Atoms, Ns, Side

STRATEGY = "conversion"
"""What the OrderIntent of a child names as its strategy."""
FOR_GOOD = (DONE, KILLED)
"""Reviewed then. What a person has may come back."""
OWN_HOLD_SHARE = 2
"""Our own quotes stay away for twice the time between two children."""
Told = ParentStarted | ParentMoved | ChildSent | ChildRefused | Reviewed | Switched
Joined = Fill | OrderReport | OrderFailed


class DeskSetup(msgspec.Struct, frozen=True, kw_only=True):
    """The markets that may be used, and how to work."""

    legs: tuple[ConversionLeg, ...]
    params: ExecutionParams
    config_hash: str


class ConversionDesk:
    """All parents. It remembers nothing that the records do not tell it."""

    def __init__(self, setup: DeskSetup, ids: ClientIds) -> None:
        self.parents: dict[str, Parent] = {}
        self.lessons = Lessons(setup.params.estimate)
        self.switches = Switches()
        self.waits: dict[str, str] = {}
        self._setup = setup
        self._ids = ids
        self._legs = {leg.market: leg for leg in setup.legs}
        self._children: dict[tuple[str, str], Children[ChildSent]] = {}
        self._reviewed: set[str] = set()
        self._refused: dict[tuple[str, str], str] = {}
        self._own_ns: dict[str, tuple[Side, Ns]] = {}
        assert len(self._legs) == len(setup.legs), "a market stands twice"

    @property
    def is_idle(self) -> bool:
        """Whether every parent is over and reviewed."""
        return len(self._reviewed) == len(self.parents)

    # --- records, now or of the journal ---------------------------------------------------------

    def remember(self, record: Told | Joined) -> None:
        """Join a record; the keepers must have joined it before."""
        match record:
            case ParentStarted():
                self._start(record.plan)
            case ParentMoved():
                self.parents[record.parent].remember(record)
            case ChildSent():
                self.parents[record.parent].remember(record)
                self._children[record.parent, record.market].sent(record)
            case Reviewed():
                self.lessons.remember(record)
                self._reviewed.add(record.parent)
            case Switched():
                self.switches.remember(record)
            case ChildRefused():
                self._refused[record.parent, record.market] = record.why
            case Fill() | OrderReport():
                self._join(record)
            case OrderFailed():
                self._heed(record)
            case _:
                assert_never(record)

    def _start(self, plan: ParentPlan) -> None:
        """Told again, it changes nothing (at most once)."""
        if plan.parent in self.parents:
            return
        self.parents[plan.parent] = Parent(plan, self._setup.params)
        for market in plan.markets:
            leg = self._legs[market]
            self._children[plan.parent, market] = Children(leg.keeper, leg.gate)

    def _join(self, fact: Fill | OrderReport) -> None:
        for (name, market), children in self._children.items():
            if market != fact.market:
                continue
            leg, parent = self._legs[market], self.parents[name]
            for each in children.join(fact):
                tick = each.order.tick if each.fill is None else each.fill.tick
                done = leg.atoms(each.lots), leg.money_atoms(tick, each.lots, each.order.side)
                parent.filled(each.child.sent.client_id, done, fact.at_ns)
            self._sift(name, market)

    def _heed(self, fact: OrderFailed) -> None:
        for (name, market), children in self._children.items():
            if market == fact.market:
                children.heed(fact, self.parents[name].plan.side)
                self._sift(name, market)

    def _sift(self, name: str, market: str) -> None:
        for child in self._children[name, market].sift():
            if self.parents[name].children[child.sent.client_id].state is not ChildState.ENDED:
                self.parents[name].ended(child.sent.client_id)

    def on_trade(self, trade: Trade) -> None:
        """Anybody's trade: what we take part in."""
        leg = self._legs.get(trade.market)
        if leg is not None:
            leg.volume.add(leg.atoms(trade.lots), trade.at_ns)

    # --- people ---------------------------------------------------------------------------------

    def start(self, plan: ParentPlan, now_ns: Ns, step: Step) -> None:
        """Begin an approved plan. A parent of that name is never begun twice."""
        if plan.parent not in self.parents:
            self._keep(ParentStarted(at_ns=now_ns, plan=plan), step)

    def switch(self, word: Switched, step: Step) -> None:
        self._keep(word, step)

    def take_back(self, name: str, who: str, now_ns: Ns, step: Step) -> None:
        """A person gives a parent back to the machine. Raises IllegalMove where it has it."""
        moved = self.parents[name].move(ParentEvent.TAKE_BACK, f"given back by {who}", now_ns)
        step.records.append(moved)

    # --- time -----------------------------------------------------------------------------------

    def look(self, now_ns: Ns, turnover_left: dict[str, Atoms], step: Step) -> None:
        """Let every parent decide; send what the gate lets through; review what is over.

        `turnover_left` by asset is what the daily cap leaves; an asset that is missing has none.
        """
        for name, market in self._children:
            self._sift(name, market)
        for name, parent in self.parents.items():
            if name in self._reviewed:
                continue
            left = turnover_left.get(parent.plan.asset, 0)
            sight = self._sight(parent, now_ns, left)
            look = parent.look(sight)
            for moved in look.moves:
                self._show(moved, step)
            self.waits[name] = look.waits
            self._send_all(parent, look, now_ns, step)
            if parent.state in FOR_GOOD and not parent.out_atoms:
                self._keep(review(parent, self.lessons, now_ns), step)

    def _show(self, moved: ParentMoved, step: Step) -> None:
        step.records.append(moved)
        if moved.after in (KILLED, HANDED_OVER):
            step.alert("", moved.at_ns, "warning", f"{moved.parent} is {moved.after}: {moved.why}")

    def _keep(self, record: Told, step: Step) -> None:
        self.remember(record)
        step.records.append(record)

    # --- what a parent is shown -----------------------------------------------------------------

    def _sight(self, parent: Parent, now_ns: Ns, left: Atoms) -> Sight:
        markets = tuple(self._market(parent, name, now_ns) for name in parent.plan.markets)
        killed = self.switches.stops(parent.plan)
        return Sight(now_ns=now_ns, markets=markets, turnover_left_atoms=left, killed=killed)

    def _market(self, parent: Parent, market: str, now_ns: Ns) -> MarketSight:
        leg, children = self._legs[market], self._children[parent.plan.parent, market]
        killed = self.switches.stops_venue(leg.item.venue)
        stale_ns = self._setup.params.stale_s * NS_PER_S
        why = killed or leg.unable(now_ns, stale_ns)
        doubt = children.doubt(now_ns, self._setup.params.answer_s_max * NS_PER_S)
        if doubt:
            for child in children.live():
                parent.doubted(child.sent.client_id)
        book = None if why else leg.depth(now_ns)
        if book is not None and not book.is_sane():
            book, why = None, "a side of the book is empty"
        levels, is_cut = leg.takeable(parent.plan.side, now_ns) if book else ((), False)
        return MarketSight(
            market=market,
            book=book,
            levels=levels,
            is_own_in_way=is_cut,
            why=why,
            is_stale=leg.is_stale(now_ns, stale_ns),
            is_killed=bool(killed),
            volume_atoms=self._others(leg, now_ns),
            doubt=doubt,
            is_busy=bool(len(children)),
            lot_atoms=leg.atoms(1),
            least_atoms=leg.least_atoms(),
            lesson_ppm=self.lessons.ppm(market),
        )

    def _others(self, leg: ConversionLeg, now_ns: Ns) -> Atoms:
        """What others traded within the window: our own trades are in the market's volume too."""
        first_ns = now_ns - self._setup.params.volume_window_s * NS_PER_S
        own = sum(
            child.atoms
            for parent in self.parents.values()
            for child in parent.children.values()
            if child.sent.market == leg.market and child.last_ns > first_ns
        )
        return max(0, leg.volume.since(first_ns) - own)

    def own_quotes_barred(self, market: str, side: Side, now_ns: Ns) -> bool:
        """Whether quotes of ours on this side met a conversion a moment ago and must stay away."""
        met, at_ns = self._own_ns.get(market, (side, -(2**62)))
        hold_ns = OWN_HOLD_SHARE * self._setup.params.child_every_s * NS_PER_S
        return met is side and now_ns - at_ns < hold_ns

    # --- sending --------------------------------------------------------------------------------

    def _send_all(self, parent: Parent, look: Look, now_ns: Ns, step: Step) -> None:
        """Our own quotes may be all that it meets: then they leave until it is done."""
        if look.is_own_in_way:
            for market in parent.plan.markets:
                self._own_ns[market] = (parent.plan.side.opposite, now_ns)
        for wish in look.wishes:
            self._try(parent, wish, now_ns, step)

    def _try(self, parent: Parent, wish: Wish, now_ns: Ns, step: Step) -> None:
        """Show it to the gate, and send what passed."""
        leg, side = self._legs[wish.market], parent.plan.side
        sweep = Sweep(
            market=wish.market,
            side=side,
            lots=leg.lots(wish.atoms),
            tick_limit=leg.tick(side, wish.limit),
            reason=f"conversion {parent.plan.parent}",
        )
        view = leg.quoter.view(now_ns, leg.keeper.position_lots(leg.market))
        reading = reading_of(leg.keeper, leg.quoter, view)
        step.records += leg.gate.observe(reading)
        answer = leg.gate.approve_sweep(sweep, reading)
        match answer:
            case SweepRefused():
                self._refuse(parent, wish.market, answer.why, now_ns, step)
            case ApprovedSweep():
                self._send(parent, wish, answer, now_ns, step)
            case _:
                assert_never(answer)

    def _refuse(self, parent: Parent, market: str, why: str, now_ns: Ns, step: Step) -> None:
        """Once a reason: the rule's name stands before the colon, the numbers after it change."""
        name = parent.plan.parent
        self.waits[name] = f"{market}: {why}"
        rule = self._refused.get((name, market), "").partition(":")[0]
        if rule != why.partition(":")[0]:
            record = ChildRefused(at_ns=now_ns, parent=name, market=market, why=why)
            self._keep(record, step)

    def _send(
        self, parent: Parent, wish: Wish, approved: ApprovedSweep, now_ns: Ns, step: Step
    ) -> None:
        """Count the order before its bytes leave, and journal what it is for."""
        leg = self._legs[wish.market]
        place = place_of(approved, self._ids(), now_ns)
        sent = child_sent(parent.plan.parent, wish, place, leg.atoms(place.lots))
        intent = OrderIntent(
            order=place, decision=0, strategy=STRATEGY, config_hash=self._setup.config_hash
        )
        leg.keeper.orders.intend(place)
        leg.gate.note("message", place.side, now_ns)
        leg.quoter.gate.note("message", place.side, now_ns)
        self._refused.pop((parent.plan.parent, place.market), None)
        self._keep(sent, step)
        step.records.append(intent)
        step.commands.append(place)
