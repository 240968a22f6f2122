"""One quoted market and its ways to hedge: how much to cover, whether it can be, and why."""

import copy
from typing import Any

import msgspec

from engine.trading.client_ids import ClientIds
from engine.trading.hedge import Cover, HedgeScene, Stages
from engine.trading.hedge_choice import Carry
from engine.trading.hedge_desk import Due, HedgeDesk, HedgeSetup
from engine.trading.hedge_drafts import OWN_QUOTES, Prices
from engine.trading.hedge_params import HedgeParams
from engine.trading.hedge_report import money_text, moved_record, ways_report
from engine.trading.hedge_sight import HedgeSight
from engine.trading.hedge_sizes import mid_half_ticks
from engine.trading.hedge_venue import Health, Sight, VenueHealth
from engine.trading.posture import HedgeStance
from engine.trading.sweeps import Leg, Sweeps
from engine.treasury.bands import Bands
from engine.values.intents import Hedge, Ladder
from engine.values.records import HedgeMoved, HedgeRefused, HedgeSent, HedgeVenue, Record
from engine.values.step import Step
from engine.values.units import NS_PER_S, SELL, Lot, Ns


class Hedger:
    """Raises ValueError where a way to hedge is paid in another currency, or stands twice."""

    def __init__(self, setup: HedgeSetup, ids: ClientIds) -> None:
        self.market = setup.quoter.market
        self.stages = Stages(setup.params)
        self.desk = HedgeDesk(setup, ids)
        self.hedge_markets = frozenset(leg.market for leg in setup.legs)
        self._setup = setup
        self._cover: Cover | None = None
        self._demanded_lots: Lot = 0
        self._stopped = ""
        self._carries: dict[str, Carry] = {}

    def __repr__(self) -> str:
        return f"<hedger {self.market} {self.stages!r} {self.desk.sweeps}>"

    # --- the past -------------------------------------------------------------------------------

    def remember(self, record: Record) -> None:
        """Join a record: each of the journal at a start, and live each that a keeper just made.

        The keeper must have joined it before. A record that comes twice changes nothing more.
        """
        for sweeps in self.desk.sweeps:
            sweeps.remember(record)
        match record:
            case HedgeMoved() if record.market == self.market:
                if record.stage != self.stages.stage:
                    self.stages.remember(record.stage, record.at_ns)
                self._moved(record)
            case HedgeSent() if record.market == self.market:
                self.desk.remember(record)
            case HedgeVenue() if record.market == self.market:
                known = self.desk.health.get(record.hedge_market)
                if known is not None:
                    known.remember(record.state, record.why, record.at_ns)
            case HedgeRefused() if record.market == self.market:
                self.desk.notes.refused(record.hedge_market, record.why, record.at_ns)
            case _:
                pass

    def _moved(self, record: HedgeMoved) -> None:
        """Where stage 0 begins or ends, what was converted before is no part of what follows."""
        last = self.desk.notes.moved
        before = last.stage if last else 0
        if before != record.stage and 0 in (before, record.stage):
            self._demanded_lots = max(0, self._demanded_lots - self.converted_lots)
            for sweeps in self.desk.sweeps:
                sweeps.converted_lots = 0
        self.desk.notes.moved = record

    def heed(self, params: HedgeParams) -> None:
        """Another playbook's numbers; stages, cover and what was spent go on."""
        self.stages.heed(params)
        self._setup = msgspec.structs.replace(self._setup, params=params)
        self.desk.heed(params)

    def demand(self, wish: Hedge) -> None:
        """A row of the gate wants this much covered, whatever the stage; a purchase is none."""
        if wish.market == self.market and wish.side is SELL:
            self._demanded_lots = wish.lots + self.converted_lots

    # --- now ------------------------------------------------------------------------------------

    def look(self, now_ns: Ns, step: Step, sight: HedgeSight) -> str:
        """After a fact about an order or the account of either market, and at each timer.

        Returns why the quoted market is to be decided anew, "" for no cause.
        """
        for sweeps in self.desk.sweeps:
            self._mind(sweeps, now_ns, step)
        scene = self._scene(now_ns, sight)
        cover = self._cover = self.stages.decide(scene)
        self._carries = sight.carries
        if scene.cover_lots + scene.converted_lots >= self._demanded_lots or not scene.excess_lots:
            self._demanded_lots = 0
        self._note(cover, scene, step)
        self._act(cover, sight, now_ns, step)
        before, self._stopped = self._stopped, self.adding_stopped(now_ns)
        return "" if before == self._stopped else "hedge"

    def adding_stopped(self, now_ns: Ns) -> str:
        """Why nothing may take the quoted market further over its target, "" for no reason."""
        health = self.desk.health
        if self.position_lots < self._bands.target_lots or not health:
            return ""
        if all(each.state is not Health.WELL for each in health.values()):
            market, first = next(iter(health.items()))
            return f"hedge venue {market} {first.state}: {first.why}"
        is_due = self._cover is not None and self._cover.change_lots > 0
        if is_due and self.desk.own_quotes_barred(now_ns):
            return f"hedge: {OWN_QUOTES}"
        return ""

    def hold_back(self, wish: Ladder, now_ns: Ns) -> Ladder:
        """The wish without the side that adds, where hedging cannot follow."""
        why = self.adding_stopped(now_ns)
        return msgspec.structs.replace(wish, bids=(), bids_absent=why) if why else wish

    def suppose(self, sight: HedgeSight, now_ns: Ns, position_lots: Lot) -> Cover:
        """What would be covered at this position, of a copy of the stages. Does nothing."""
        scene = msgspec.structs.replace(self._scene(now_ns, sight), position_lots=position_lots)
        return copy.deepcopy(self.stages).decide(scene)

    @property
    def _bands(self) -> Bands:
        """Those of the quoted market, which its treasury may move."""
        return self._setup.quoter.bands

    @property
    def position_lots(self) -> Lot:
        return self._setup.keeper.position_lots(self.market)

    @property
    def cover_lots(self) -> Lot:
        """Confirmed by the hedge venues' own fills."""
        return sum(sweeps.cover_lots for sweeps in self.desk.sweeps)

    @property
    def converted_lots(self) -> Lot:
        """Sold out of the position itself since a stage stands."""
        return sum(sweeps.converted_lots for sweeps in self.desk.sweeps)

    @property
    def unhedged_lots(self) -> Lot:
        """What stays counted in the cap: over target and not confirmed to be covered."""
        return max(0, self.position_lots - self._bands.target_lots - self.cover_lots)

    def status(self, now_ns: Ns) -> dict[str, Any]:
        """What people are shown. Lots are of the quoted token, money of its quote currency."""
        cover, desk = self._cover, self.desk
        return {
            "market": self.market,
            "stage": self.stages.stage,
            "why": cover.why if cover else "not looked yet",
            "target_lots": cover.target_lots if cover else 0,
            "covered_lots": self.cover_lots,
            "converted_lots": self.converted_lots,
            "unhedged_lots": self.unhedged_lots,
            "demanded_lots": self._demanded_lots,
            "spent_today": money_text(desk.spent(now_ns)),
            "budget": money_text(desk.budget),
            "adding_stopped": self.adding_stopped(now_ns),
            "refused": desk.notes.why_not,
            "ways": ways_report(desk.sweeps, desk.health, desk.notes.candidates, self._carries),
        }

    # --- how ------------------------------------------------------------------------------------

    def _mind(self, sweeps: Sweeps, now_ns: Ns, step: Step) -> None:
        """See whether the hedge venue has answered, failed, or proved itself well."""
        health, keeper = self.desk.health[sweeps.leg.market], sweeps.leg.keeper
        before, refused = health.state, ""
        for child in sweeps.sift():
            if sweeps.was_refused(child):
                refused = f"{child.sent.client_id}: refused by the venue"
            elif sweeps.was_answered(child):
                health.answered(now_ns)
        answer_ns_max = round(self._setup.params.answer_s_max * NS_PER_S)
        is_heard = keeper.open_orders_after(sweeps.leg.market, health.failed_ns) >= 0
        sight = Sight(
            now_ns=now_ns,
            unable="" if sweeps.is_direct else _unable(sweeps.leg),
            doubt=sweeps.doubt(now_ns, answer_ns_max) or refused,
            is_proved=is_heard and not sweeps.is_waiting,
            is_idle=self._cover is not None and not self._cover.change_lots,
        )
        health.mind(sight)
        if health.state is not before:
            self._turned(sweeps.leg, health, now_ns, step)

    def _turned(self, leg: Leg, health: VenueHealth, now_ns: Ns, step: Step) -> None:
        record = HedgeVenue(
            market=self.market,
            at_ns=now_ns,
            hedge_market=leg.market,
            state=health.state,
            why=health.why,
        )
        step.records.append(record)
        has_failed = health.state is Health.FAILED
        text = f"hedge venue {leg.market} {health.state} {health.why}".strip()
        step.alert(self.market, now_ns, "critical" if has_failed else "notice", text)
        if has_failed:
            leg.keeper.ask_anew(leg.market)

    def _scene(self, now_ns: Ns, sight: HedgeSight) -> HedgeScene:
        return HedgeScene(
            now_ns=now_ns,
            position_lots=self.position_lots,
            bands=self._bands,
            stance=sight.stance,
            signal=sight.signal,
            signal_held_ns=sight.signal_held_ns,
            trend_sigmas=sight.trend_sigmas,
            turnover_ratio=sight.turnover_ratio,
            cover_lots=self.cover_lots,
            converted_lots=self.converted_lots,
            demanded_lots=self._demanded_lots,
        )

    def _note(self, cover: Cover, scene: HedgeScene, step: Step) -> None:
        """Journal what should stand, and what does, where it differs from what was said last."""
        spent = self.desk.spent(scene.now_ns)
        record = moved_record(cover, scene, self.market, (spent, self.desk.budget))
        way_lots = self._bands.cap_lots - self._bands.target_lots
        if self.desk.notes.is_news(record, way_lots * self._setup.params.change_min):
            step.records.append(record)
            self._moved(record)

    def _act(self, cover: Cover, sight: HedgeSight, now_ns: Ns, step: Step) -> None:
        if not cover.change_lots:
            return
        if barred := self._barred():
            self.desk.notes.refuse("", barred, now_ns, step)
            return
        prices = Prices(
            token=self._setup.quoter.setup.instrument,
            token_mid=mid_half_ticks(self._setup.quoter.book),
            params=self._setup.params,
            ratios=sight.ratios,
            carries=sight.carries,
        )
        due = Due(
            now_ns=now_ns,
            change_lots=cover.change_lots,
            is_urgent=sight.stance is HedgeStance.ACCELERATE,
            why=cover.why,
            prices=prices,
        )
        self.desk.act(due, step)

    def _barred(self) -> str:
        """Why the quoted market's own state forbids to act on its position."""
        standing = self._setup.quoter.standing
        if latched := standing.halted or standing.frozen or standing.stopping:
            return f"the quoted market is held: {latched}"
        if standing.private_down or not standing.is_reconciled:
            return "the quoted market's position is not proved"
        return ""


def _unable(leg: Leg) -> str:
    """Why the hedge market can take no order now, "" if it can; its own gate's trips are no such
    reason, they are refusals."""
    standing = leg.quoter.standing
    if standing.may_quote_but_for("risk"):
        return ""
    state, reason = standing.state(has_quotes=False)
    return f"{state}: {reason}"
