"""From a rating to what a market does: the five questions, asked in order at every decision.

A pure state machine: what it remembers is how long a side has held, what the rating's event may
still add, and which sizes are displayed. It lets no order out; it only narrows what may be wished.
"""

import copy
import math

import msgspec

from engine.signals.outlook import Outlook
from engine.trading.policy_event import Leaning, SignalMemory
from engine.trading.policy_ruling import (
    Chooser,
    Chosen,
    Perceived,
    RoomBy,
    Ruling,
    Terms,
    record_of,
)
from engine.trading.policy_steps import Sizes, factors_for, may_close_up
from engine.trading.posture import INVENTORY_OF, Answers, HedgeStance, Inventory, LimitStance
from engine.trading.rules import RulesParams, signal_cap_lots
from engine.treasury.bands import Bands
from engine.values.events import RatingSet
from engine.values.instrument import Instrument
from engine.values.records import Ruled
from engine.values.units import Lot, Ns

__all__ = ["Chooser", "Chosen", "Perceived", "Policy", "Ruling"]


class Policy:
    """The policy of one market. `playbook` is the name under which it is recorded.

    Raises ValueError where the signal cap is off the instrument's lot grid.
    """

    def __init__(
        self,
        chooser: Chooser,
        rules: RulesParams,
        instrument: Instrument,
        bands: Bands,
        playbook: str,
    ) -> None:
        self.market = instrument.market
        self.ruling: Ruling | None = None
        self._chooser = chooser
        self._bands = bands
        self._terms = Terms(
            market=instrument.market,
            playbook=playbook,
            target_lots=bands.target_lots,
            cap_lots=bands.cap_lots,
            signal_cap_lots=signal_cap_lots(rules, instrument),
            confirmations_min=rules.confirmations_min,
            persistence_s=rules.persistence_s,
        )
        self._rules = rules
        self._memory = SignalMemory(rules)
        self._sizes = Sizes(rules)
        self._seen: Perceived | None = None
        self._due_ns: Ns = 0
        self._choice: tuple[Answers, Chosen] | None = None
        self._recorded: Ruling | None = None

    def __repr__(self) -> str:
        return f"<policy {self.market} {self._terms.playbook}: {self.ruling}>"

    # --- asking ---------------------------------------------------------------------------------

    def ask(self, seen: Perceived) -> Ruling:
        """What to do now. The same object as before where nothing that counts has changed."""
        ruling, before = self.ruling, self._seen
        self._seen = seen
        if ruling is not None and seen.now_ns < self._due_ns and _is_same(before, seen):
            return ruling
        self.ruling = self._rule(seen)
        return self.ruling

    def record_if_changed(self) -> Ruled | None:
        """The last ruling for the journal, where an answer, the row or the event is another one.

        So is one of the confirming factors: whatever makes a displayed size fall is on record.
        """
        ruling, recorded = self.ruling, self._recorded
        if ruling is None or ruling is recorded:
            return None
        is_known = recorded is not None and recorded.key == ruling.key
        self._recorded = ruling
        if is_known:
            return None
        return record_of(ruling)

    def picture(self, now_ns: Ns) -> Ruling | None:
        """The last ruling with the numbers of the last look, at `now_ns`: for people."""
        if self.ruling is None or self._seen is None:
            return None
        seen = msgspec.structs.replace(self._seen, now_ns=max(now_ns, self._seen.now_ns))
        return msgspec.structs.replace(self.ruling, seen=seen)

    def heed(self, bands: Bands) -> None:
        """Other bands from now on; the next question is answered by them."""
        self._bands = bands
        self._terms = msgspec.structs.replace(
            self._terms, target_lots=bands.target_lots, cap_lots=bands.cap_lots
        )
        self._due_ns = 0

    # --- recovery -------------------------------------------------------------------------------

    def remember(self, fact: Ruled | RatingSet) -> None:
        """Go on where the journal ends: give it both kinds of facts in their order, before asking.

        Of the ratings only those that the market is run by. Each may be given when it arrives, too,
        so that one that no decision saw is not missed.
        """
        if fact.market != self.market:
            return
        if isinstance(fact, RatingSet):
            self._memory.look(fact, fact.at_ns)
            self._due_ns = 0
            return
        self._memory.restore(fact)
        bid, ask = fact.numbers.get("bid_size"), fact.numbers.get("ask_size")
        if bid and ask:
            self._sizes.restore(bid, ask, fact.at_ns)
        self._due_ns = 0

    def trial(self) -> "Policy":
        """One that may be asked about anything: what it learns by that stays with it."""
        trial = copy.copy(self)
        trial._memory, trial._sizes = copy.deepcopy(self._memory), copy.deepcopy(self._sizes)
        trial._due_ns = 0
        return trial

    @property
    def due_ns(self) -> Ns:
        """When time alone changes the ruling next."""
        return self._due_ns

    def take_over(self, before: "Policy") -> None:
        """Another playbook for the same market: clock, event and sizes go on, `before` ends."""
        self._memory, self._sizes = before._memory, before._sizes
        self._memory.heed(self._rules)
        self._sizes.heed(self._rules)
        self._due_ns = 0

    # --- the five questions ---------------------------------------------------------------------

    def _rule(self, seen: Perceived) -> Ruling:
        memory, sizes, now_ns = self._memory, self._sizes, seen.now_ns
        memory.look(seen.rating, now_ns)
        if seen.zone is not None:
            memory.settle(seen.position_lots, now_ns)
        answers = self._answers(seen)
        chosen = self._chosen(answers)
        posture = chosen.posture
        quotes, factors = posture.quotes, factors_for(answers, seen.agreeing)
        sizes.follow(quotes, len(factors), now_ns)
        self._due_ns = min(memory.due_ns(now_ns), sizes.due_ns)
        most_lots, room_by = self._most(seen, posture.limits)
        return Ruling(
            terms=self._terms,
            seen=seen,
            answers=answers,
            posture=posture,
            conflict=chosen.conflict,
            careful=chosen.careful,
            factors=factors,
            leaning=memory.leaning,
            began_ns=memory.began_ns,
            away_ns=memory.away_ns,
            is_sell_hidden=memory.is_sell_hidden,
            is_held=memory.is_held(now_ns),
            event=memory.event,
            bid_size=sizes.bid,
            ask_size=sizes.ask,
            bid_closer=quotes.bid_closer if may_close_up(answers) else 0.0,
            bid_out_ticks=quotes.bid_out_ticks,
            ask_out_ticks=quotes.ask_out_ticks,
            upper_ask_out_ticks=quotes.upper_ask_out_ticks,
            room_bid_lots=max(0, most_lots - seen.position_lots),
            room_by=room_by,
            worst_lots=max(most_lots, seen.position_lots),
            hedge=self._hedge(seen, posture.hedge),
            stops_share=posture.limits.stops_share,
        )

    def _answers(self, seen: Perceived) -> Answers:
        outlook = seen.outlook
        return Answers(
            signal=self._memory.signal,
            inventory=Inventory.UNKNOWN if seen.zone is None else INVENTORY_OF[seen.zone],
            btc=outlook.btc,
            correlation=outlook.correlation,
            depth=outlook.depth,
            volatility=outlook.volatility,
            book=outlook.book,
            turnover=outlook.turnover,
        )

    def _chosen(self, answers: Answers) -> Chosen:
        """The playbook's choice; asked again only where an answer is another one."""
        if self._choice is None or self._choice[0] != answers:
            self._choice = answers, self._chooser.choose(answers)
        return self._choice[1]

    def _most(self, seen: Perceived, limits: LimitStance) -> tuple[Lot, RoomBy]:
        """The highest position that bids may bring about now, and the rule that says so."""
        bands, memory = self._bands, self._memory
        if seen.zone is None:
            return seen.position_lots, RoomBy.NO_POSITION
        most_lots, by = bands.target_lots, RoomBy.ROW_TARGET
        if limits.may_add and memory.leaning is Leaning.UNKNOWN:
            by = RoomBy.NOT_KNOWN
        elif limits.may_add and memory.leaning is Leaning.BUY and not memory.is_held(seen.now_ns):
            by = RoomBy.NOT_HELD
        elif limits.may_add:
            way_lots = bands.cap_lots - bands.target_lots
            most_lots = bands.target_lots + min(way_lots, math.floor(limits.cap_share * way_lots))
            by = RoomBy.ROW_SHARE
        event_lots = memory.event.opened_lots + self._terms.signal_cap_lots
        if memory.event.is_open and event_lots < most_lots:
            return event_lots, RoomBy.EVENT
        return most_lots, by

    def _hedge(self, seen: Perceived, hedge: HedgeStance) -> HedgeStance:
        """Cover is held off only where inventory is known to stand below its target."""
        is_short = seen.zone is not None and seen.position_lots < self._bands.target_lots
        return HedgeStance.STAGED if hedge is HedgeStance.HOLD and not is_short else hedge


def _is_same(before: Perceived | None, seen: Perceived) -> bool:
    return (
        before is not None
        and seen.position_lots == before.position_lots
        and seen.rating is before.rating
        and seen.zone is before.zone
        and (seen.outlook is before.outlook or _says_the_same(before.outlook, seen.outlook))
        and seen.agreeing == before.agreeing
    )


def _says_the_same(before: Outlook, outlook: Outlook) -> bool:
    """Whether the answers are the same, whatever moved in the numbers behind them."""
    return (
        outlook.btc is before.btc
        and outlook.depth is before.depth
        and outlook.volatility is before.volatility
        and outlook.correlation is before.correlation
        and outlook.book is before.book
        and outlook.turnover is before.turnover
    )
