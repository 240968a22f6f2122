"""A treasury that acts: the steward rules the quotes, the desk of actions what is done beside them.

Told every fact and every record once, like the steward that it holds. Live and in a replay it does
the same, for it knows nothing but facts.
"""

from collections.abc import Callable
from typing import Any

from engine.trading.action_hands import Hands
from engine.trading.action_work import ActionWork
from engine.trading.chain_hands import ChainHands
from engine.trading.chain_work import ChainWork, unable
from engine.trading.client_ids import ClientIds
from engine.trading.conversion_work import ConversionWork
from engine.trading.maker import Maker
from engine.trading.standing import NOT_SIGHT
from engine.trading.steward import Steward
from engine.trading.treasurer import Actor
from engine.trading.turns import next_turn_ns
from engine.treasury.bands import Bands
from engine.treasury.held_enough import beyond_held
from engine.treasury.proposals import Status
from engine.values.action_records import ActionWord
from engine.values.action_words import Action, Override, StopActions
from engine.values.chain_words import ChainSeen, ChainTold
from engine.values.events import Event, Fill, OrderReport, Timer, VenueState
from engine.values.execution_records import ParentMoved, Reviewed
from engine.values.ledger_words import LedgerWord
from engine.values.records import OrderIntent, Record
from engine.values.step import Step
from engine.values.treasury_words import LockSet, TreasuryFact
from engine.values.units import NS_PER_S, Ns

APPROVED = Status.APPROVED
LOOKED_AFTER = (Timer, VenueState, Fill, OrderReport)
"""After these a conversion may go on, or may have come further."""
PATIENCE_NS = 600 * NS_PER_S
"""So long the daily check and what is allowed wait for every market to be measured."""
ASLEEP_NS = 60 * NS_PER_S
"""Who has not looked for so long has not waited: the machine slept."""


class TreasuryWork:
    """Fulfils `treasurer.Treasurer` beside the steward's part of it."""

    def __init__(
        self,
        steward: Steward,
        actions: ActionWork,
        conversions: ConversionWork | None,
        chain: ChainWork | None = None,
    ) -> None:
        self.steward = steward
        self.actions = actions
        self.conversions = conversions
        self.chain = None if chain is None else ChainHands(steward, actions, chain)
        actions.desk.unable = self._unable
        self._chain_work = chain
        self._hands = Hands(steward, conversions, chain)
        self._due_ns: Ns = 0
        self._looked_ns: Ns = 0
        self._measured_ns: Ns = 0

    def __repr__(self) -> str:
        return f"<{self.steward!r} {self.actions!r} {self.conversions!r}>"

    def _unable(self, action: Action) -> str:
        """Why nothing here can carry it out, "" where something can."""
        why = unable(action, self._chain_work)
        why = why or ("" if self.conversions is None else self.conversions.problem(action))
        holdings = self.steward.treasury.holdings
        return why or (beyond_held(action, holdings.facts()) if holdings.is_whole else "")

    @property
    def actor(self) -> Actor:
        return self

    def join(self, makers: dict[str, Maker], heed: Callable[[Maker, Bands], None]) -> None:
        self.steward.join(makers, heed)

    def open(self, makers: dict[str, Maker], ids: ClientIds) -> None:
        if self.conversions is not None:
            self.conversions.open(makers, ids, self.steward.treasury.holdings.scheme)
        if self.chain is not None:
            self.chain.open(makers)

    # --- facts ------------------------------------------------------------------------------------

    def remember(self, record: Record) -> None:
        self.steward.remember(record)
        if self.conversions is not None:
            self.conversions.remember(record)
        self.actions.remember(record)
        self._hands.remember(record)
        if self.chain is not None:
            self.chain.remember(record)

    def learn(self, fact: TreasuryFact, step: Step) -> None:
        """What a file says of locks is joined by what the chain does."""
        if self.chain is not None and isinstance(fact, LockSet):
            fact = self.chain.work.joined(fact)
        self.steward.learn(fact, step)

    def take(self, word: ActionWord, step: Step) -> None:
        """What the chain says of an engine that has none is nobody's: a recording of another."""
        if not isinstance(word, ChainTold | ChainSeen):
            self.actions.take(word, step)
        elif self.chain is not None:
            self.chain.hear(word, word.at_ns, step)

    def count(self, maker: Maker, now_ns: Ns, step: Step) -> None:
        self.steward.count(maker, now_ns, step)

    def after(self, event: Event, now_ns: Ns, step: Step) -> None:
        if self.chain is not None and isinstance(event, LedgerWord):
            self.chain.on_word(event, now_ns, step)
        self.steward.after(event, now_ns, step)
        heard = len(step.records)
        if self.conversions is not None:
            self.conversions.hear(event, step.records)
        is_due = isinstance(event, Timer) and now_ns >= self._due_ns
        if is_due:
            self._due_ns = next_turn_ns(now_ns, NS_PER_S, 0)
            self._on_second(now_ns, step)
        if self.conversions is not None and isinstance(event, LOOKED_AFTER):
            self.conversions.look(now_ns, self.steward.treasury, step)
        made = step.records[heard:]
        if is_due or any(isinstance(record, ParentMoved | Reviewed) for record in made):
            self.actions.settle(self._hands, now_ns, step)
        for record in made:
            if isinstance(record, OrderIntent):  # it heard the records that came before ours
                self.steward.remember(record)

    # --- time -------------------------------------------------------------------------------------

    def _on_second(self, now_ns: Ns, step: Step) -> None:
        treasury = self.steward.treasury
        if not treasury.holdings.is_whole:
            if self._wants_to_stop():
                self.actions.act(self._hands, now_ns, step)
            return
        facts = treasury.holdings.facts()
        for asset in facts.scheme.assets:
            price = facts.price(asset)
            if price is not None:
                self.actions.desk.price(price)
        is_ready = self._is_ready(now_ns)
        rebalancer = self.actions.rebalancer
        is_check = rebalancer is not None and is_ready and rebalancer.is_due(facts.at_ns)
        names = facts.scheme.assets if is_check else ()
        scores = {asset: treasury.score(asset) for asset in names}
        self.actions.watch(facts, scores, step, may_check=is_ready)
        if is_ready or self._wants_to_stop():
            self.actions.act(self._hands, now_ns, step)

    def _is_ready(self, now_ns: Ns) -> bool:
        """Whether every market is measured, or has not been for as long as one waits."""
        has_slept = now_ns - self._looked_ns > ASLEEP_NS
        self._looked_ns = now_ns
        is_measured = self._is_measured(now_ns)
        if has_slept or is_measured:
            self._measured_ns = now_ns
        return is_measured or now_ns - self._measured_ns > PATIENCE_NS

    def _is_measured(self, now_ns: Ns) -> bool:
        """Whether every market of a venue that is not stopped has a book that is vouched for and a
        volatility."""
        if self.conversions is None:
            return True
        switches = self.conversions.desk.switches
        return all(
            leg.quoter.standing.may_quote_but_for(*NOT_SIGHT)
            and self.conversions.volatility(market, now_ns) is not None
            for market, leg in self.conversions.legs.items()
            if not switches.stops_venue(leg.venue)
        )

    def _wants_to_stop(self) -> bool:
        """A kill switch waits for nothing, an override's neither."""
        allowed = [one for one in self.actions.desk.proposals.all() if one.status is APPROVED]
        actions = [one.request.action for one in allowed]
        stops = [one.does if isinstance(one, Override) else one for one in actions]
        return any(isinstance(one, StopActions) for one in stops)

    # --- for people -------------------------------------------------------------------------------

    def told(self, market: str) -> dict[str, Any]:
        return self.steward.told(market)

    def account(self, picture: dict[str, Any], at: Callable[[Ns], str]) -> dict[str, Any]:
        return self.steward.account(picture, at)
