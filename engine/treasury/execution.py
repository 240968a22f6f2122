"""One parent at work: what is due now, what pauses it, when it is over or a person's.

Pure: it is shown the markets and answers with wishes; the desk passes each through the risk gate.
Only records and fills change it, so a restart rebuilds it: `remember` in the journal's order.
"""

from collections.abc import Sequence

import msgspec

from engine.treasury.amounts import Price
from engine.treasury.depth import DepthBook
from engine.treasury.estimate import best_mid, slippage_ppm
from engine.treasury.execution_calm import Patience
from engine.treasury.execution_life import (
    OVER,
    ChildEvent,
    ChildState,
    ParentEvent,
    child_after,
    parent_after,
)
from engine.treasury.execution_params import ExecutionParams
from engine.treasury.execution_sight import Look, MarketSight, Sight, Wish
from engine.treasury.schedule import Plan, schedule
from engine.treasury.split import Offer, split
from engine.values.execution_records import ChildSent, ParentMoved, ParentPlan, ParentState
from engine.values.units import NS_PER_S, PPM, Atoms, Ns

OWN_IN_WAY = "our own quotes stand in the way"
REST_SHARE = 4
"""After a child the next waits a quarter of the usual time at least: what was missed is not chased
at once, and the book may fill up again."""


class Child(msgspec.Struct, kw_only=True):
    """One order that left. `last_ns` is its last fill's moment, 0 for none."""

    sent: ChildSent
    state: ChildState = ChildState.SENT
    atoms: Atoms = 0
    money_atoms: Atoms = 0
    last_ns: Ns = 0


class Parent:
    """A plan, its state, its children and what they did."""

    def __init__(self, plan: ParentPlan, params: ExecutionParams) -> None:
        self.plan = plan
        self.state = ParentState.WORKING
        self.why = ""
        self.since_ns = plan.begin_ns
        self.children: dict[str, Child] = {}
        self._params = params
        self._late_ns = plan.end_ns
        self._anchor: tuple[Ns, Price] | None = None
        self._patience = Patience(params.stale_s, params.pause_s)
        self._limit = Price(
            asset=plan.asset, money_atoms=plan.limit[0], base_atoms=plan.limit[1], at_ns=0
        )
        self.schedule = schedule(
            Plan(
                seed=plan.proposal + plan.parent,
                begin_ns=plan.begin_ns,
                end_ns=plan.end_ns,
                atoms=plan.atoms,
                count=plan.children,
                jitter_ppm=params.jitter_ppm,
            )
        )

    def __repr__(self) -> str:
        done, atoms = self.done_atoms, self.plan.atoms
        return f"<{self.plan.parent} {self.state} {done} of {atoms} {self.plan.asset} {self.why}>"

    # --- what changes it ------------------------------------------------------------------------

    def remember(self, record: ParentMoved | ChildSent) -> None:
        """Join a record of this parent, now or after a restart."""
        if isinstance(record, ChildSent):
            self.children.setdefault(record.client_id, Child(sent=record))
            return
        if record.before is ParentState.HANDED_OVER and record.after is ParentState.WORKING:
            self._late_ns = max(self._late_ns, record.at_ns)
        self.state, self.why, self.since_ns = record.after, record.why, record.at_ns
        is_working = record.after is ParentState.WORKING
        self._patience.begin(record.at_ns, is_working=is_working)

    def filled(self, client_id: str, done: tuple[Atoms, Atoms], at_ns: Ns) -> None:
        """So many (atoms, money) more of a child, as the order table counted them."""
        child = self.children[client_id]
        child.atoms += done[0]
        child.money_atoms += done[1]
        child.last_ns = max(child.last_ns, at_ns)

    def ended(self, client_id: str) -> None:
        child = self.children[client_id]
        child.state = child_after(child.state, ChildEvent.END)

    def doubted(self, client_id: str) -> None:
        child = self.children[client_id]
        if child.state is ChildState.SENT:
            child.state = child_after(child.state, ChildEvent.DOUBT)

    def move(self, event: ParentEvent, why: str, now_ns: Ns) -> ParentMoved:
        """Raises IllegalMove, and then nothing has changed."""
        after = parent_after(self.state, event)
        moved = ParentMoved(
            at_ns=now_ns, parent=self.plan.parent, before=self.state, after=after, why=why
        )
        self.remember(moved)
        return moved

    # --- what there is --------------------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        return self.state in OVER

    @property
    def done_atoms(self) -> Atoms:
        return sum(child.atoms for child in self.children.values())

    @property
    def money_atoms(self) -> Atoms:
        return sum(child.money_atoms for child in self.children.values())

    @property
    def out_atoms(self) -> Atoms:
        """What could still fill (law 3): of children sent and not proved to have ended."""
        return sum(
            child.sent.atoms - child.atoms
            for child in self.children.values()
            if child.state is not ChildState.ENDED
        )

    @property
    def left_atoms(self) -> Atoms:
        return max(0, self.plan.atoms - self.done_atoms - self.out_atoms)

    def check(self) -> None:
        """Assert that no child did more than it was sent for, nor all more than the plan."""
        for child in self.children.values():
            assert 0 <= child.atoms <= child.sent.atoms, f"{child.sent.client_id} is overfilled"
        assert self.done_atoms + self.out_atoms <= self.plan.atoms, f"{self!r} does too much"

    # --- deciding -------------------------------------------------------------------------------

    def look(self, sight: Sight) -> Look:
        """What to do now. Once it is over, nothing; but what a person has can still be killed."""
        look = Look()
        if self.state is ParentState.HANDED_OVER and sight.killed:
            look.moves.append(self.move(ParentEvent.KILL, sight.killed, sight.now_ns))
        if self.is_over or sight.now_ns < self.plan.begin_ns:
            return look
        if self._has_ended(sight, look):
            return look
        trouble, may_settle = self._trouble(sight)
        is_serious = self._patience.heed(trouble, sight.now_ns, may_settle=may_settle)
        if self.state is ParentState.PAUSED:
            self._rest(trouble, sight, look)
        elif is_serious:
            look.moves.append(self.move(ParentEvent.PAUSE, trouble, sight.now_ns))
        if self.state is ParentState.WORKING and not trouble:
            self._wish(sight, look)
        elif not self.is_over:
            paused_for = self.why if self.state is ParentState.PAUSED else ""
            look.waits = self._patience.told(sight.now_ns, paused_for)
        return look

    def _has_ended(self, sight: Sight, look: Look) -> bool:
        """Killed, done, or too late to go on without a person."""
        killed = sight.killed
        if not killed and all(market.is_killed for market in sight.markets):
            killed = "no allowed venue is left"
        if killed:
            look.moves.append(self.move(ParentEvent.KILL, killed, sight.now_ns))
            return True
        least = min(market.least_atoms for market in sight.markets)
        if not self.out_atoms and self.left_atoms < max(1, least):
            left = self.left_atoms
            why = f"{left} atoms are too small to trade" if left else "all of it"
            look.moves.append(self.move(ParentEvent.FINISH, why, sight.now_ns))
            return True
        late_ns = sight.now_ns - self._late_ns
        if late_ns > self._params.hand_over_s * NS_PER_S and not self.out_atoms:
            why = f"{self.left_atoms} atoms are left {late_ns // NS_PER_S} s after its end"
            look.moves.append(self.move(ParentEvent.HAND_OVER, why, sight.now_ns))
            return True
        return False

    def _trouble(self, sight: Sight) -> tuple[str, bool]:
        """Why nothing may be sent now, "" for nothing; and whether it may settle by itself."""
        for market in sight.markets:
            if market.doubt:
                return f"unanswered venue: {market.market}: {market.doubt}", False
        books = [market.book for market in sight.markets if market.book is not None]
        if not books:
            whys = "; ".join(f"{market.market}: {market.why}" for market in sight.markets)
            is_old = all(market.is_stale or market.is_killed for market in sight.markets)
            return f"stale price: {whys}", not is_old
        least = min(market.least_atoms for market in sight.markets if market.book is not None)
        if sight.turnover_left_atoms < least:
            return "the daily turnover cap is spent", False
        return self._gap(best_mid(books, self.plan.side), sight.now_ns), False

    def _gap(self, mid: Price, now_ns: Ns) -> str:
        """The price moved further than it may between two looks."""
        anchor = self._anchor
        if anchor is None:
            self._anchor = (now_ns, mid)
            return ""
        was = anchor[1]
        moved = abs(mid.money_atoms * was.base_atoms - was.money_atoms * mid.base_atoms)
        moved_ppm = moved * PPM // (was.money_atoms * mid.base_atoms)
        if moved_ppm > self._params.gap_ppm:
            self._anchor = (now_ns, mid)
            return f"price gap: {moved_ppm} ppm"
        if now_ns - anchor[0] >= self._params.child_every_s * NS_PER_S:
            self._anchor = (now_ns, mid)
        return ""

    def _rest(self, trouble: str, sight: Sight, look: Look) -> None:
        """Go on after a calm pause, or hand over one that lasts too long."""
        params, now_ns = self._params, sight.now_ns
        if self._patience.is_over(now_ns):
            look.moves.append(self.move(ParentEvent.RESUME, f"over: {self.why}", now_ns))
        elif now_ns - self.since_ns > params.hand_over_s * NS_PER_S and not self.out_atoms:
            why = f"paused too long: {trouble or self.why}"
            look.moves.append(self.move(ParentEvent.HAND_OVER, why, now_ns))

    # --- children -------------------------------------------------------------------------------

    def _wish(self, sight: Sight, look: Look) -> None:
        due = self.schedule.due_atoms(sight.now_ns) - self.done_atoms - self.out_atoms
        most = min(due, self.plan.child_atoms_max, sight.turnover_left_atoms, self.left_atoms)
        free = [each for each in sight.markets if each.book is not None and not each.is_busy]
        offers = [self._offer(market, market.book, sight.now_ns) for market in free if market.book]
        if most <= 0 or not offers or self._rests(sight.now_ns):
            look.waits = "nothing is due" if most <= 0 else "a child is still out, or just was"
            return
        parts = split(self.plan.side, most, offers, self._limit)
        if not parts:
            look.waits = self._why_none(offers, free)
            look.is_own_in_way = look.waits == OWN_IN_WAY
        mid = best_mid([each.book for each in free if each.book], self.plan.side)
        lessons = {each.market: each.lesson_ppm for each in free}
        for part in parts:
            walked = slippage_ppm((part.atoms, part.money_atoms), mid, self.plan.side)
            look.wishes.append(
                Wish(
                    market=part.market,
                    atoms=part.atoms,
                    limit=part.limit,
                    mid=mid,
                    estimate_ppm=walked + lessons[part.market],
                )
            )

    def _rests(self, now_ns: Ns) -> bool:
        last_ns = max((child.sent.at_ns for child in self.children.values()), default=0)
        return (now_ns - last_ns) * REST_SHARE < self._params.child_every_s * NS_PER_S

    def _offer(self, market: MarketSight, book: DepthBook, now_ns: Ns) -> Offer:
        """No more there than our share of what others traded lately."""
        share = market.volume_atoms * self._params.participation_ppm // PPM
        return Offer(
            market=market.market,
            levels=market.levels,
            extra_ppm=book.taker_fee_ppm + market.lesson_ppm,
            lot_atoms=market.lot_atoms,
            least_atoms=market.least_atoms,
            most_atoms=max(0, share - self._own_atoms(market.market, now_ns)),
        )

    def _own_atoms(self, market: str, now_ns: Ns) -> Atoms:
        """Ours within the window: filled, or still able to."""
        first_ns = now_ns - self._params.volume_window_s * NS_PER_S
        return sum(
            child.atoms if child.state is ChildState.ENDED else child.sent.atoms
            for child in self.children.values()
            if child.sent.market == market and child.sent.at_ns > first_ns
        )

    def _why_none(self, offers: Sequence[Offer], markets: Sequence[MarketSight]) -> str:
        if all(offer.most_atoms < max(offer.least_atoms, offer.lot_atoms) for offer in offers):
            return "our share of what others trade is used up"
        if any(market.is_own_in_way for market in markets):
            return OWN_IN_WAY
        return "too little stands within the slippage ceiling"
