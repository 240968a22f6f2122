"""The desk of actions: words come in, the policy and the roster decide, records go out.

Pure: time comes inside the words, signatures are proved by a function that is handed in. Records
are applied here the moment they are made, and by `remember` when they are read back, in the same
way. `begin` answers with what may be carried out now, beside the records of that: these must be
kept where they survive before the first byte leaves. What was out when a process died is in
`unresolved`: ask the place where it was to happen, and `tell` what it says. It is never begun
again.
"""

from collections.abc import Callable, Iterable
from typing import assert_never

import msgspec

from engine.treasury.action_bytes import NotCanonical, decoded, encoded, reference_of
from engine.treasury.actions import coins_of
from engine.treasury.amounts import Price
from engine.treasury.approvals import Reply, evidence_fault, lapse, reply_fault
from engine.treasury.authority import STRICTNESS, Authority, Case
from engine.treasury.authority_wider import widen_limit, widening
from engine.treasury.desk_alarms import DeskAlarms, Watched
from engine.treasury.desk_step import AnyWord, Begin, DeskStep, SignedWord, record_of, refusal_of
from engine.treasury.proposals import OUT, WAITING, Proposal, Proposals, Status
from engine.treasury.requests import Arrival, Rules, Verify, request_fault
from engine.treasury.roster import Roster
from engine.treasury.windows import sizes_of
from engine.values.action_records import (
    ActionRecord,
    Answered,
    Asked,
    AuthoritySet,
    Ending,
    EvidenceGiven,
    Executed,
    Executing,
    Expired,
    Proposed,
    Reconsidered,
    Rejected,
    RosterSet,
    Ruling,
    Tier,
    WordRefused,
)
from engine.values.action_words import Action, Request, Statement
from engine.values.records import Alert
from engine.values.units import Atoms, Ns


class ActionDesk:
    """Every proposal of one treasury. `authority` must be one that `authority_check` passed."""

    def __init__(
        self, authority: Authority, verify: Verify, past: Iterable[ActionRecord] = ()
    ) -> None:
        self.authority = authority
        self.roster = Roster()
        self.proposals = Proposals()
        self.prices: dict[str, Price] = {}
        self.unable: Callable[[Action], str] = lambda action: ""  # why no place can do it, if so
        self._verify = verify
        self._alarms = DeskAlarms()
        self._in_force: dict[str, RosterSet | AuthoritySet] = {}
        for record in past:
            self.remember(record)

    def __repr__(self) -> str:
        return f"<desk {self.authority.desk} {self.proposals} {self.roster}>"

    def price(self, price: Price) -> None:
        """A price became known. What is not priced, or too long ago, is unknown."""
        self.prices[price.asset] = price

    def take(self, word: SignedWord) -> DeskStep:
        """A word from outside, which must be signed. It is done, or a record says why not."""
        match word:
            case Asked():
                return self._ask(word, is_inside=False)
            case Answered():
                return self._answer(word)
            case EvidenceGiven():
                return self._evidence(word)
            case _:
                assert_never(word)

    def load(self, word: RosterSet | AuthoritySet) -> DeskStep:
        """Who runs the desk has loaded a file, already checked whole. Nothing else comes this way.

        A policy or roster that is in force already makes no record. One that is wider is refused,
        with a record, unless people agreed to it by its digest.
        """
        in_force = self._in_force.get(type(word).__name__)
        if in_force is None or in_force.digest == word.digest:
            return self._step(word) if in_force is None else DeskStep([], [], [])
        why = widening(word, list(self.roster.people.values()), self.authority)
        agreed = widen_limit(in_force.digest, word)
        if not why or self.proposals.was_done(agreed, in_force.at_ns):
            return self._step(word)
        how = f"propose to widen limit {agreed.limit} from {agreed.was} to {agreed.becomes}"
        return self._refuse(word, "", f"it is wider than what is in force ({why}); {how}")

    def ask(self, request: Request) -> DeskStep:
        """A request of the engine's own, at `request.at_ns`."""
        asked = Asked(at_ns=request.at_ns, body=encoded(request), signature=b"")
        return self._ask(asked, is_inside=True)

    def begin(self, at_ns: Ns) -> DeskStep:
        """Everything that is allowed now, looked at once more; with it goes what expired."""
        step = self.tick(at_ns)
        for proposal in self.proposals.all():
            if proposal.status is Status.APPROVED:
                self._begin(proposal, at_ns, step)
        return step

    def tell(self, name: str, ending: Ending, why: str, *, at_ns: Ns, has_moved: bool) -> DeskStep:
        """The place where `name` was carried out says what became of it.

        Raises IllegalMove where it was not out, and then nothing has changed.
        """
        before = self.proposals.get(name)
        if before is not None and before.status is Status.UNKNOWN and ending is Ending.UNKNOWN:
            return DeskStep([], [], [])
        record = Executed(at_ns=at_ns, name=name, ending=ending, has_moved=has_moved, why=why)
        step = self._step(record)
        if ending is not Ending.DONE:
            text = f"{name} is {ending}: {why}"
            step.alerts.append(Alert(market="", at_ns=at_ns, level="critical", text=text))
        return step

    def absent(self, name: str, *, asked_ns: Ns, at_ns: Ns) -> DeskStep:
        """The place knows nothing of `name`. That proves an end only `settle_ns` after it began."""
        began_ns = self.proposals[name].began_ns
        if asked_ns - began_ns < self.authority.settle_ns:
            why = "the place does not know it, and it may still arrive"
            return self.tell(name, Ending.UNKNOWN, why, at_ns=at_ns, has_moved=False)
        why = "it never arrived; ask anew if it is still wanted"
        return self.tell(name, Ending.FAILED, why, at_ns=at_ns, has_moved=False)

    def unresolved(self) -> list[Proposal]:
        """What may be happening: ask the place for each `reference`."""
        return [item for item in self.proposals.all() if item.status in OUT]

    def tick(self, at_ns: Ns) -> DeskStep:
        """Time has passed: what expired ends, and alarms that are new are told."""
        step = DeskStep([], [], [])
        for proposal in self.proposals.all():
            if proposal.status in WAITING and at_ns >= proposal.request.expires_ns:
                self._keep(Expired(at_ns=at_ns, name=proposal.name, why="nobody took it up"), step)
        step.alerts += self._alarms.news(self.watched, at_ns)
        self.proposals.forget(at_ns - self.authority.window_ns)
        return step

    def remember(self, record: ActionRecord) -> None:
        """A record of an earlier session. The same records make the same desk."""
        match record:
            case RosterSet():
                self._in_force[type(record).__name__] = record
                self.roster = Roster(record.people)
            case AuthoritySet():
                self._in_force[type(record).__name__] = record
                self.authority = msgspec.json.decode(record.text, type=Authority)
            case WordRefused():
                pass
            case _:
                self.proposals.apply(record)

    @property
    def watched(self) -> Watched:
        """What alarms are made of."""
        return Watched(proposals=self.proposals, roster=self.roster, authority=self.authority)

    @property
    def rules(self) -> Rules:
        """What words are held against."""
        return Rules(authority=self.authority, roster=self.roster, verify=self._verify)

    def ruling(self, request: Request, at_ns: Ns) -> Ruling:
        """What the policy asks of `request` at the prices and in the window of this moment."""

        def worth(action: Action) -> Atoms | None:
            return self.authority.money_atoms(coins_of(action), self.prices, at_ns)

        since_ns = at_ns - self.authority.window_ns
        case = Case(
            initiator=request.initiator,
            action=request.action,
            function=request.function,
            sizes=sizes_of(request, self.proposals.all(), worth, since_ns),
        )
        return self.authority.rule(case)

    # --- words ------------------------------------------------------------------------------------

    def _ask(self, word: Asked, *, is_inside: bool) -> DeskStep:
        try:
            request = decoded(word.body, Request)
        except NotCanonical as error:
            return self._refuse(word, "", str(error))
        arrival = Arrival(
            request=request,
            body=word.body,
            signature=word.signature,
            at_ns=word.at_ns,
            is_inside=is_inside,
        )
        fault = request_fault(arrival, self.rules) or self.unable(request.action)
        if not fault and self.proposals.get(request.name) is not None:
            fault = f"there is a proposal {request.name} already"
        if fault:
            return self._refuse(word, request.name, fault)
        ruling = self.ruling(request, word.at_ns)
        if ruling.tier is Tier.REFUSED:
            return self._refuse(word, request.name, f'row "{ruling.row}" refuses it: {ruling.why}')
        return self._step(
            Proposed(
                at_ns=word.at_ns,
                name=request.name,
                body=word.body,
                signature=word.signature,
                ruling=ruling,
            )
        )

    def _answer(self, word: Answered) -> DeskStep:
        try:
            statement = decoded(word.body, Statement)
        except NotCanonical as error:
            return self._refuse(word, "", str(error))
        proposal = self.proposals.get(statement.name)
        if proposal is None:
            return self._refuse(word, statement.name, "there is no such proposal")
        reply = Reply(
            statement=statement,
            body=word.body,
            signature=word.signature,
            at_ns=word.at_ns,
            proposal=proposal,
        )
        if fault := reply_fault(reply, self.rules):
            return self._refuse(word, proposal.name, fault)
        return self._step(record_of(reply, self.roster))

    def _evidence(self, word: EvidenceGiven) -> DeskStep:
        proposal = self.proposals.get(word.name)
        if proposal is None:
            return self._refuse(word, word.name, "there is no such proposal")
        if fault := evidence_fault(word, proposal, self.rules):
            return self._refuse(word, word.name, fault)
        return self._step(word)

    def _begin(self, proposal: Proposal, at_ns: Ns, step: DeskStep) -> None:
        """Prices, policy and roster may have changed since it was allowed: look at all again."""
        name = proposal.name
        ruling = self.ruling(proposal.request, at_ns)
        if fault := lapse(proposal, self.rules, at_ns) or self._refusal(proposal, ruling):
            rejected = Rejected(
                at_ns=at_ns, name=name, who="policy", why=fault, body=b"", signature=b""
            )
            self._keep(rejected, step)
            return
        if ruling.money_atoms is None and proposal.ruling.money_atoms is not None:
            return  # a price went stale: it waits for the next one, and expires if none comes
        if STRICTNESS[ruling.tier] > STRICTNESS[proposal.ruling.tier]:
            self._keep(Reconsidered(at_ns=at_ns, name=name, ruling=ruling), step)
            return
        reference = reference_of(proposal.body)
        self._keep(
            Executing(at_ns=at_ns, name=name, reference=reference, money_atoms=ruling.money_atoms),
            step,
        )
        request = proposal.request
        step.begins.append(
            Begin(name=name, reference=reference, function=request.function, action=request.action)
        )

    def _refusal(self, proposal: Proposal, ruling: Ruling) -> str:
        action = proposal.request.action
        if fault := self.authority.action_problem(action) or self.unable(action):
            return fault
        return f"the policy refuses it by now: {ruling.why}" if ruling.tier is Tier.REFUSED else ""

    # --- records ----------------------------------------------------------------------------------

    def _step(self, record: ActionRecord) -> DeskStep:
        step = DeskStep([], [], [])
        self._keep(record, step)
        return step

    def _keep(self, record: ActionRecord, step: DeskStep) -> None:
        self.remember(record)
        step.records.append(record)

    def _refuse(self, word: AnyWord, name: str, why: str) -> DeskStep:
        refused = refusal_of(word, name, why)
        step = self._step(refused)
        text = f"refused {refused.word} {refused.name}".rstrip() + f": {why}"
        step.alerts.append(Alert(market="", at_ns=word.at_ns, level="warning", text=text))
        return step
