"""The desk of actions in the running engine: signed words in, what is allowed done, ends told.

Once a second it looks at the floats' bands, asks for what they need, begins what is allowed and
hears what became of what is out. The records of one look go to the journal together and in their
order, before any byte that they are about.
"""

from collections.abc import Mapping

import msgspec

from engine.trading.action_hands import Hands
from engine.trading.action_result import Result
from engine.trading.action_widen import FILES
from engine.treasury.action_desk import ActionDesk
from engine.treasury.desk_step import DeskStep, SignedWord
from engine.treasury.facts import Facts
from engine.treasury.rebalance import Draft, Rebalancer
from engine.treasury.score import Score
from engine.values.action_records import (
    ActionRecord,
    AuthoritySet,
    Ending,
    RosterSet,
    WordRefused,
)
from engine.values.action_words import Initiator, Request, WidenLimit
from engine.values.records import Record
from engine.values.step import Step
from engine.values.units import Ns

OUTCOMES_MAX = 200
SetWord = RosterSet | AuthoritySet


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine's own requests carry: for which function, and for what reason."""

    function: str
    code: str


class ActionWork:
    """One desk. `outcomes` says what became of the latest words, for whoever sent them."""

    def __init__(self, desk: ActionDesk, rebalancer: Rebalancer | None, asking: Asking) -> None:
        self.desk = desk
        self.rebalancer = rebalancer
        self.outcomes: dict[SignedWord, DeskStep] = {}
        self._asking = asking
        self._wanted: dict[type[SetWord], SetWord] = {}

    def __repr__(self) -> str:
        return f"<work of {self.desk!r}>"

    # --- words ------------------------------------------------------------------------------------

    def remember(self, record: Record) -> None:
        """A record of an earlier session, in its order."""
        if isinstance(record, ActionRecord):
            self.desk.remember(record)
        elif self.rebalancer is not None:
            self.rebalancer.remember_any(record)

    def take(self, word: SignedWord | SetWord, step: Step) -> None:
        """Whatever it says: a word that is not taken leaves a record that says why."""
        if isinstance(word, RosterSet | AuthoritySet):
            self._load(word, step)
            return
        answer = self.desk.take(word)
        self.outcomes[word] = answer
        while len(self.outcomes) > OUTCOMES_MAX:
            del self.outcomes[next(iter(self.outcomes))]
        _keep(answer, step)

    def _load(self, word: SetWord, step: Step) -> None:
        """One that is wider than what is in force waits until people agreed to it."""
        answer = self.desk.load(word)
        is_refused = any(isinstance(record, WordRefused) for record in answer.records)
        if is_refused:
            self._wanted[type(word)] = word
        else:
            self._wanted.pop(type(word), None)
        _keep(answer, step)

    # --- time -------------------------------------------------------------------------------------

    def watch(
        self, facts: Facts, scores: Mapping[str, Score | None], step: Step, *, may_check: bool
    ) -> None:
        """The floats against their bands. What is asked for stands in the journal before the day
        counts as checked: a crash between the two asks for nothing twice, and loses nothing."""
        if self.rebalancer is None:
            return
        look = self.rebalancer.look(facts, scores, may_check=may_check)
        for draft in look.drafts:
            self._ask(draft, facts.at_ns, step)
        step.records += look.records
        for text in look.alerts:
            step.alert("", facts.at_ns, "warning", text)

    def _ask(self, draft: Draft, at_ns: Ns, step: Step) -> None:
        if draft.action is None:
            return
        band, authority = draft.band, self.desk.authority
        day = at_ns // 86_400_000_000_000
        name = f"rebalance-{day}-{band.asset}-{band.venue}"
        if self.desk.proposals.get(name) is not None:
            return
        request = Request(
            desk=authority.desk,
            name=name,
            at_ns=at_ns,
            expires_ns=min(draft.action.until_ns, at_ns + authority.request_ns_max),
            who=Initiator.ENGINE.value,
            initiator=Initiator.ENGINE,
            function=self._asking.function,
            code=self._asking.code,
            why=draft.why,
            action=draft.action,
        )
        _keep(self.desk.ask(request), step)

    def act(self, hands: Hands, now_ns: Ns, step: Step) -> None:
        """Begin what is allowed, once; the record of it comes before all that it does."""
        answer = self.desk.begin(now_ns)
        _keep(answer, step)
        for begin in answer.begins:
            result = hands.begin(self.desk.proposals[begin.name], now_ns, step)
            if result is not None:
                self.tell(begin.name, result, now_ns, step)

    def settle(self, hands: Hands, now_ns: Ns, step: Step) -> None:
        """Hear of everything that is out, of this session or an earlier one, what became of it."""
        for proposal in self.desk.unresolved():
            result = hands.ended(proposal, now_ns, step)
            if result is not None:
                self.tell(proposal.name, result, now_ns, step)

    def absent(self, name: str, asked_ns: Ns, now_ns: Ns, step: Step) -> None:
        """The place where it was to happen knows nothing of it."""
        _keep(self.desk.absent(name, asked_ns=asked_ns, at_ns=now_ns), step)

    def tell(self, name: str, result: Result, now_ns: Ns, step: Step) -> None:
        """What became of an action that is out."""
        answer = self.desk.tell(
            name, result.ending, result.why, at_ns=now_ns, has_moved=result.has_moved
        )
        _keep(answer, step)
        action = self.desk.proposals[name].request.action
        is_agreed = isinstance(action, WidenLimit) and action.limit in FILES
        if is_agreed and result.ending is Ending.DONE:
            for word in list(self._wanted.values()):
                self._load(msgspec.structs.replace(word, at_ns=now_ns), step)


def _keep(answer: DeskStep, step: Step) -> None:
    step.records += answer.records
    step.alerts += answer.alerts
