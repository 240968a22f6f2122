"""The simulated people: they ask, sign what they are asked to sign, and hand in evidence."""

from collections.abc import Sequence

from engine.sim.quarter_ground import Ground
from engine.treasury.action_bytes import (
    SIGNED_EVIDENCE,
    SIGNED_REQUEST,
    SIGNED_STATEMENT,
    digest_of,
    encoded,
)
from engine.treasury.approvals import evidence_body
from engine.treasury.dates import NS_PER_H
from engine.treasury.proposals import WAITING, Proposal, Status
from engine.treasury.roster import is_absent
from engine.values.action_records import Answered, Asked, EvidenceGiven, WordRefused
from engine.values.action_words import Action, Answer, Initiator, Override, Request, Statement
from engine.values.records import Record
from engine.values.units import Ns

VALID_H = 24


class Staff:
    """Everybody on the roster. Nobody signs what they asked for, and nobody signs twice."""

    def __init__(self, world: Ground) -> None:
        self._world = world
        self._count = 0
        self.refused: list[str] = []

    def asks(self, who: str, action: Action, terms: tuple[str, str, str], hours: int) -> str:
        """A signed request by `who`; `terms` are (function, code, why). Its name; "" if refused."""
        world, role = self._world, self._role(who)
        request = self.request((who, Initiator(role)), action, terms, hours)
        body = encoded(request)
        signature = world.setup.keys.sign(who, SIGNED_REQUEST + body)
        said = world.hear(Asked(at_ns=world.now_ns, body=body, signature=signature))
        return self.note(request.name, said)

    def is_waiting(self, *codes: str) -> bool:
        """Whether something that was asked for with such a code has not ended."""
        ended = {Status.DONE, Status.FAILED, Status.REJECTED, Status.EXPIRED}
        return any(
            one.request.code in codes and one.status not in ended for one in self._world.proposals()
        )

    def sign_all(self) -> None:
        """Everybody who is there signs whatever still needs their role."""
        world = self._world
        for name in [one.name for one in world.proposals() if one.status in WAITING]:
            for person in world.setup.people:
                proposal = world.proposal(name)
                signed = {given.who for given in proposal.signatures}
                is_wanted = any(person.role in slot for slot in proposal.open_slots)
                is_free = person.name not in {proposal.request.who, *signed}
                if is_wanted and is_free and not is_absent(person, world.now_ns):
                    self._sign(person.name, proposal)

    def hand_in(self) -> None:
        """What must follow an override or a large action, by somebody who took no part."""
        world = self._world
        for one in list(world.proposals()):
            took_part = {one.request.who, *(given.who for given in one.signatures)}
            free = [p.name for p in world.setup.people
                    if p.name not in took_part and not is_absent(p, world.now_ns)]  # fmt: skip
            for item in one.missing:
                self._give(free[0], one.name, item)

    # --- words ----------------------------------------------------------------------------------

    def request(
        self, who: tuple[str, Initiator], action: Action, terms: tuple[str, str, str], hours: int
    ) -> Request:
        self._count += 1
        now_ns = self._world.now_ns
        return Request(
            desk=self._world.setup.authority.desk,
            name=f"{terms[1]}-{self._count:04d}",
            at_ns=now_ns,
            expires_ns=_seen_ns(action, now_ns) + hours * NS_PER_H,
            who=who[0],
            initiator=who[1],
            function=terms[0],
            code=terms[1],
            why=terms[2],
            action=action,
        )

    def _sign(self, who: str, proposal: Proposal) -> None:
        world, now_ns = self._world, self._world.now_ns
        statement = Statement(
            digest=digest_of(proposal.body), name=proposal.name, answer=Answer.APPROVE, who=who,
            role=next(p.role for p in world.setup.people if p.name == who), at_ns=now_ns,
            expires_ns=now_ns + VALID_H * NS_PER_H, why="",
        )  # fmt: skip
        body = encoded(statement)
        signature = world.setup.keys.sign(who, SIGNED_STATEMENT + body)
        said = world.hear(Answered(at_ns=world.now_ns, body=body, signature=signature))
        self.note(proposal.name, said)

    def _give(self, who: str, name: str, item: str) -> None:
        world = self._world
        word = EvidenceGiven(
            at_ns=world.now_ns, name=name, item=item, digest="ab" * 32, who=who, signature=b""
        )
        signature = world.setup.keys.sign(who, SIGNED_EVIDENCE + evidence_body(word))
        given = EvidenceGiven(
            at_ns=world.now_ns, name=name, item=item, digest="ab" * 32, who=who,
            signature=signature,
        )  # fmt: skip
        self.note(name, world.hear(given))

    def note(self, name: str, records: Sequence[Record]) -> str:
        """`name` of what was asked for, "" where it was refused."""
        refused = [row for row in records if isinstance(row, WordRefused)]
        self.refused += [f"{row.name}: {row.why}" for row in refused]
        return "" if refused else name

    def _role(self, who: str) -> str:
        return next(p.role.value for p in self._world.setup.people if p.name == who)


def _seen_ns(action: Action, now_ns: Ns) -> Ns:
    """An override may be asked for within so long of when its cause was seen."""
    return action.seen_ns if isinstance(action, Override) else now_ns
