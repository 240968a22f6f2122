"""The life of one request: the one table of its moves, and what the records say of it.

Records alone change a proposal, and they do so here, whether they were just decided or read back
after a crash. So what a restart rebuilds is what was there.
"""

from enum import StrEnum

import msgspec

from engine.treasury.action_bytes import decoded, digest_of
from engine.values.action_records import (
    Ending,
    Endorsed,
    EvidenceGiven,
    Executed,
    Executing,
    Expired,
    Proposed,
    Reconsidered,
    Rejected,
    Ruling,
)
from engine.values.action_words import Action, Request, Role
from engine.values.units import Ns


class Status(StrEnum):
    PROPOSED = "proposed"
    APPROVED = "approved"
    EXECUTING = "executing"
    UNKNOWN = "unknown"
    DONE = "done"
    FAILED = "failed"
    REJECTED = "rejected"
    EXPIRED = "expired"


class Move(StrEnum):
    SIGN = "sign"
    """An approval counts, and others are still needed."""
    ALLOW = "allow"
    """Nothing is needed any more."""
    RECONSIDER = "reconsider"
    REJECT = "reject"
    EXPIRE = "expire"
    BEGIN = "begin"
    FINISH = "finish"
    FAIL = "fail"
    DOUBT = "doubt"


class IllegalMove(Exception):
    """An act that the life of a proposal does not have. Nothing was changed."""


LIFE: dict[tuple[Status, Move], Status] = {
    (Status.PROPOSED, Move.SIGN): Status.PROPOSED,
    (Status.PROPOSED, Move.ALLOW): Status.APPROVED,
    (Status.PROPOSED, Move.REJECT): Status.REJECTED,
    (Status.PROPOSED, Move.EXPIRE): Status.EXPIRED,
    (Status.APPROVED, Move.RECONSIDER): Status.PROPOSED,
    (Status.APPROVED, Move.REJECT): Status.REJECTED,
    (Status.APPROVED, Move.EXPIRE): Status.EXPIRED,
    (Status.APPROVED, Move.BEGIN): Status.EXECUTING,
    # No way leads from here back to APPROVED: what may have happened is never begun again.
    (Status.EXECUTING, Move.FINISH): Status.DONE,
    (Status.EXECUTING, Move.FAIL): Status.FAILED,
    (Status.EXECUTING, Move.DOUBT): Status.UNKNOWN,
    (Status.UNKNOWN, Move.FINISH): Status.DONE,
    (Status.UNKNOWN, Move.FAIL): Status.FAILED,
    (Status.UNKNOWN, Move.DOUBT): Status.UNKNOWN,
}
"""The table. A pair that is not in it is illegal."""

WAITING = frozenset({Status.PROPOSED, Status.APPROVED})
OUT = frozenset({Status.EXECUTING, Status.UNKNOWN})
"""May be happening at this moment, as far as we can prove."""
OF_ENDING = {Ending.DONE: Move.FINISH, Ending.FAILED: Move.FAIL, Ending.UNKNOWN: Move.DOUBT}
ENDED_MAX = 5_000

ProposalRecord = (
    Proposed | Endorsed | Reconsidered | Rejected | Expired | Executing | Executed | EvidenceGiven
)


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """An approval that counts, and the public key that it was proved with."""

    who: str
    role: Role
    key: str
    expires_ns: Ns


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """One request and all that became of it. `began_ns` and `ended_ns` are 0 until then."""

    request: Request
    body: bytes
    digest: str
    ruling: Ruling
    status: Status
    signatures: tuple[Signature, ...] = ()
    evidence: tuple[EvidenceGiven, ...] = ()
    reference: str = ""
    began_ns: Ns = 0
    ended_ns: Ns = 0
    has_moved: bool = False
    why: str = ""

    @property
    def name(self) -> str:
        return self.request.name

    @property
    def open_slots(self) -> list[list[Role]]:
        """The signatures that are still needed."""
        left = [list(slot) for slot in self.ruling.slots]
        for signature in self.signatures:
            found = next((slot for slot in left if signature.role in slot), None)
            if found is not None:
                left.remove(found)
        return left

    @property
    def missing(self) -> list[str]:
        """Evidence that has to follow and is not there; nothing before it began."""
        if not self.began_ns:
            return []
        given = {word.item for word in self.evidence}
        return [item for item in self.ruling.duties if item not in given]

    def __repr__(self) -> str:
        return f"<{self.name} {self.ruling.tier} {self.status.upper()}>"


class Proposals:
    """Every proposal by name, in the order in which they came."""

    def __init__(self) -> None:
        self._all: dict[str, Proposal] = {}

    def __repr__(self) -> str:
        return f"<{len(self._all)} proposals>"

    def __getitem__(self, name: str) -> Proposal:
        return self._all[name]

    def get(self, name: str) -> Proposal | None:
        return self._all.get(name)

    def all(self) -> list[Proposal]:
        return list(self._all.values())

    def was_done(self, action: Action, since_ns: Ns) -> bool:
        """Whether exactly this was asked for, allowed, and done since then."""
        return any(
            item.status is Status.DONE
            and item.began_ns >= since_ns
            and item.request.action == action
            for item in self._all.values()
        )

    def apply(self, record: ProposalRecord) -> Proposal:
        """Change what `record` changes. Raises IllegalMove, and then nothing has."""
        if isinstance(record, Proposed):
            return self._add(record)
        before = self._all.get(record.name)
        if before is None:
            raise IllegalMove(f"there is no proposal {record.name}")
        after = _after(before, record)
        self._all[record.name] = after
        return after

    def forget(self, before_ns: Ns) -> None:
        """Let go of the oldest that ended before then and owe nothing, where there are very many.

        Their requests must have expired by then: an expired request is not taken up again.
        """
        if len(self._all) <= ENDED_MAX:
            return
        for name, proposal in list(self._all.items()):
            is_over = 0 < proposal.ended_ns < before_ns and proposal.status not in OUT
            if is_over and proposal.request.expires_ns < before_ns and not proposal.missing:
                del self._all[name]

    def check(self) -> None:
        """What must hold at any moment. Raises AssertionError."""
        for name, proposal in self._all.items():
            assert name == proposal.name
            assert digest_of(proposal.body) == proposal.digest
            people = [signature.who for signature in proposal.signatures]
            assert len(set(people)) == len(people), "nobody signs twice"
            assert proposal.request.who not in people, "who asks cannot approve"
            has_begun = proposal.status in OUT | {Status.DONE, Status.FAILED}
            assert has_begun == bool(proposal.began_ns)
            if proposal.status is Status.APPROVED or has_begun:
                assert not proposal.open_slots, "nothing begins before all have signed"

    def _add(self, record: Proposed) -> Proposal:
        if record.name in self._all:
            raise IllegalMove(f"there is a proposal {record.name} already")
        proposal = Proposal(
            request=decoded(record.body, Request),
            body=record.body,
            digest=digest_of(record.body),
            ruling=record.ruling,
            status=Status.PROPOSED,
        )
        assert proposal.name == record.name
        if not proposal.open_slots:
            proposal = _moved(proposal, Move.ALLOW)
        self._all[record.name] = proposal
        return proposal


def _after(before: Proposal, record: ProposalRecord) -> Proposal:
    match record:
        case Endorsed():
            given = Signature(
                who=record.who, role=record.role, key=record.key, expires_ns=record.expires_ns
            )
            signed = msgspec.structs.replace(before, signatures=(*before.signatures, given))
            return _moved(signed, Move.SIGN if signed.open_slots else Move.ALLOW)
        case Reconsidered():
            return _moved(before, Move.RECONSIDER, ruling=record.ruling)
        case Rejected():
            return _moved(before, Move.REJECT, why=record.why, ended_ns=record.at_ns)
        case Expired():
            return _moved(before, Move.EXPIRE, why=record.why, ended_ns=record.at_ns)
        case Executing():
            return _moved(before, Move.BEGIN, began_ns=record.at_ns, reference=record.reference)
        case Executed():
            return _moved(
                before,
                OF_ENDING[record.ending],
                why=record.why,
                has_moved=before.has_moved or record.has_moved,
                ended_ns=0 if record.ending is Ending.UNKNOWN else record.at_ns,
            )
        case EvidenceGiven():
            if record.item not in before.missing:
                raise IllegalMove(f'{before.name} does not lack "{record.item}"')
            return msgspec.structs.replace(before, evidence=(*before.evidence, record))
        case Proposed():
            raise IllegalMove(f"there is a proposal {record.name} already")


def _moved(before: Proposal, move: Move, **changes: object) -> Proposal:
    status = LIFE.get((before.status, move))
    if status is None:
        raise IllegalMove(f"{before.name} is {before.status}: it cannot {move}")
    return msgspec.structs.replace(before, status=status, **changes)
