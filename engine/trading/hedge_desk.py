"""Buying and letting go of cover: choose the way, keep to the budget, pass the gate, send one."""

import math
from fractions import Fraction
from typing import assert_never

import msgspec

from engine.trading.client_ids import ClientIds
from engine.trading.hedge_choice import choose
from engine.trading.hedge_drafts import (
    OWN_QUOTES,
    Draft,
    Prices,
    draft_cover,
    draft_let_go,
    smallest_lots,
)
from engine.trading.hedge_params import HedgeParams, money
from engine.trading.hedge_report import BUDGET, HedgeNotes, money_text
from engine.trading.hedge_venue import Health, VenueHealth
from engine.trading.keeper import Keeper
from engine.trading.quoter import Quoter
from engine.trading.readings import reading_of
from engine.trading.risk_sweep import ApprovedSweep, SweepRefused
from engine.trading.sweeps import Leg, Sweeps
from engine.values.commands import Place
from engine.values.records import HedgeSent, OrderIntent
from engine.values.step import Step
from engine.values.units import NS_PER_S, SELL, Lot, Ns

CUT_MOST = 10
"""What is left of a day's budget is not spent in orders of less than a tenth of their size."""
STRATEGY = "hedge"
"""What the OrderIntent of an order for cover names as its strategy."""


class HedgeSetup(msgspec.Struct, frozen=True, kw_only=True):
    """The quoted market as the engine runs it, and its ways to hedge in the config's order."""

    keeper: Keeper
    quoter: Quoter
    legs: tuple[Leg, ...]
    params: HedgeParams
    config_hash: str


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done now: `change_lots` of the token, more than 0 to cover."""

    now_ns: Ns
    change_lots: Lot
    is_urgent: bool
    why: str
    prices: Prices


class HedgeDesk:
    """The orders of one hedger. It remembers nothing that the records do not tell it.

    Raises ValueError where a way to hedge is paid in another currency, or stands twice.
    """

    def __init__(self, setup: HedgeSetup, ids: ClientIds) -> None:
        self.market = setup.quoter.market
        self.sweeps = [Sweeps(leg, self.market) for leg in setup.legs]
        self.health = {leg.market: VenueHealth(setup.params) for leg in setup.legs}
        self.notes = HedgeNotes(self.market)
        self.budget = money(setup.params.day_cost_max)
        self._setup = setup
        self._ids = ids
        self._last: HedgeSent | None = None
        self._in_the_way_ns: Ns | None = None

        quote = setup.quoter.setup.instrument.quote
        for leg in setup.legs:
            if leg.quoter.setup.instrument.quote != quote:
                raise ValueError(f"hedge {leg.market} is not paid in {quote}")
        if len(self.health) < len(setup.legs):
            raise ValueError("hedge: one market stands twice")

    def heed(self, params: HedgeParams) -> None:
        self._setup = msgspec.structs.replace(self._setup, params=params)
        self.budget = money(params.day_cost_max)
        for health in self.health.values():
            health.heed(params)

    def remember(self, sent: HedgeSent) -> None:
        """The last order paces the next."""
        self._last = sent

    def spent(self, now_ns: Ns) -> Fraction:
        return sum((sweeps.spent(now_ns) for sweeps in self.sweeps), Fraction(0))

    def own_quotes_barred(self, now_ns: Ns) -> bool:
        """Whether our own bids met a conversion a moment ago, and must stay away for it."""
        hold_ns = round(2 * self._setup.params.child_every_s * NS_PER_S)
        return self._in_the_way_ns is not None and now_ns - self._in_the_way_ns < hold_ns

    def act(self, due: Due, step: Step) -> None:
        """Send the next order, if one may go now; where none may, record why."""
        need = self._need(due.change_lots)
        if not need or self._is_busy or self._rests(need, due):
            return
        drafts = self._drafts(need, due)
        self.notes.candidates = [draft.candidate for draft in drafts]
        ranked = choose(self.notes.candidates, is_urgent=due.is_urgent and need > 0)
        self._mind_own_quotes(drafts, due.now_ns, is_chosen=bool(ranked))
        if not ranked:
            reasons = "; ".join(f"{each.way.market} {each.text}" for each in self.notes.candidates)
            self.notes.refuse("", f"no way to hedge: {reasons}", due.now_ns, step)
        for candidate in ranked:
            draft = next(each for each in drafts if each.candidate is candidate)
            if self._try(draft, due, step):
                return

    # --- whether --------------------------------------------------------------------------------

    def _need(self, change_lots: Lot) -> Lot:
        """The change less what orders that are still out there may do of it (law 3)."""
        more = sum(sweeps.working_lots()[0] for sweeps in self.sweeps)
        less = sum(sweeps.working_lots()[1] for sweeps in self.sweeps)
        if change_lots > 0:
            return max(0, change_lots - more)
        return min(0, change_lots + less)

    @property
    def _is_busy(self) -> bool:
        """One order at a time; one that a failed venue leaves open only counts."""
        return any(
            sweeps.is_waiting and self.health[sweeps.leg.market].state is not Health.FAILED
            for sweeps in self.sweeps
        )

    def _rests(self, need: Lot, due: Due) -> bool:
        """The pause between two orders; turning round waits for the first stage's cool-down."""
        last, params = self._last, self._setup.params
        if last is None:
            return False
        pause_s = params.urgent_every_s if due.is_urgent else params.child_every_s
        is_turn = (need > 0) != (last.token_lots > 0)
        if is_turn and not (due.is_urgent and need > 0):
            pause_s = max(pause_s, params.stage_1.cool_down_s)
        return due.now_ns - last.at_ns < pause_s * NS_PER_S

    def _drafts(self, need: Lot, due: Due) -> list[Draft]:
        drafts = []
        for sweeps in self.sweeps:
            health = self.health[sweeps.leg.market]
            problem = "" if due.prices.token_mid else "the token's price is not known"
            if health.state is Health.FAILED:
                problem = f"{health.state}: {health.why}"
            if need > 0:
                drafts.append(draft_cover(sweeps, need, due.prices, problem))
            elif sweeps.cover_lots:
                drafts.append(draft_let_go(sweeps, -need, due.prices, problem))
        return drafts

    def _mind_own_quotes(self, drafts: list[Draft], now_ns: Ns, *, is_chosen: bool) -> None:
        """Our bids may be all that a conversion meets: then they leave until it is done."""
        for draft in drafts:
            is_met = draft.sweeps.is_direct and draft.candidate.why_not == OWN_QUOTES
            was_met = draft.sweeps.is_direct and self.own_quotes_barred(now_ns)
            if (is_met and not is_chosen) or was_met:
                self._in_the_way_ns = now_ns

    # --- doing ----------------------------------------------------------------------------------

    def _try(self, draft: Draft, due: Due, step: Step) -> bool:
        """Cut it to the budget, show it to the gate, send what passed."""
        leg = draft.sweeps.leg
        lots = min(draft.lots, self._affordable(draft, due.now_ns))
        least = smallest_lots(leg.quoter.setup.instrument, draft.limit)
        if lots < max(least, draft.lots // CUT_MOST):
            spent = f"{money_text(self.spent(due.now_ns))} of {money_text(self.budget)}"
            self.notes.refuse("", f"{BUDGET}: {spent} spent today", due.now_ns, step)
            return False
        draft = draft.of(lots)
        view = leg.quoter.view(due.now_ns, leg.keeper.position_lots(leg.market))
        reading = reading_of(leg.keeper, leg.quoter, view)
        step.records += leg.gate.observe(reading)
        answer = leg.gate.approve_sweep(draft.sweep(due.why), reading)
        match answer:
            case SweepRefused():
                self.notes.refuse(leg.market, answer.why, due.now_ns, step)
                return False
            case ApprovedSweep():
                return self._send(draft, answer, due, step)
            case _:
                assert_never(answer)

    def _affordable(self, draft: Draft, now_ns: Ns) -> Lot:
        """Lots whose worst cost the rest of the day's budget still covers."""
        share = Fraction(1)
        if draft.side is SELL:
            share -= Fraction(self._setup.params.let_go_reserve)
        reserved = sum((sweeps.reserved() for sweeps in self.sweeps), Fraction(0))
        left = self.budget * share - self.spent(now_ns) - reserved
        worst = draft.lot_cost
        return max(0, math.floor(left / worst)) if worst else draft.lots

    def _send(self, draft: Draft, approved: ApprovedSweep, due: Due, step: Step) -> bool:
        """Count the order before its bytes leave, and journal what it is for."""
        draft = draft.of(approved.lots)
        leg, now_ns = draft.sweeps.leg, due.now_ns
        if not draft.token_lots:
            self.notes.refuse(leg.market, "too small to cover anything", now_ns, step)
            return False
        place = Place(
            market=approved.market,
            client_id=self._ids(),
            side=approved.side,
            tick=approved.tick_limit,
            lots=approved.lots,
            post_only=False,
            at_ns=now_ns,
            is_ioc=True,
        )
        sent = HedgeSent(
            market=self.market,
            at_ns=now_ns,
            client_id=place.client_id,
            hedge_market=leg.market,
            lots=place.lots,
            token_lots=draft.token_lots,
            mid_half_ticks=draft.mid_half_ticks,
            why=due.why,
            candidates={each.way.market: each.text for each in self.notes.candidates},
        )
        intent = OrderIntent(
            order=place,
            decision=0,
            strategy=STRATEGY,
            config_hash=self._setup.config_hash,
        )
        leg.keeper.orders.intend(place)
        leg.gate.note("message", place.side, now_ns)
        leg.quoter.gate.note("message", place.side, now_ns)
        draft.sweeps.remember(sent)
        self.remember(sent)
        self.notes.sent()
        step.records += [sent, intent]
        step.commands.append(place)
        return True
