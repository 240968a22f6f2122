"""The desk of a drill: the policy of the file under a name of its own, and people made for it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import assert_never

import msgspec

from engine.runtime.action_driver import ActionDriver, Outcome
from engine.runtime.chain_place import ChainPlace
from engine.runtime.live import Live
from engine.runtime.signing import Signer, make_key
from engine.treasury.action_bytes import (
    SIGNED_EVIDENCE,
    SIGNED_REQUEST,
    SIGNED_STATEMENT,
    digest_of,
    encoded,
)
from engine.treasury.approvals import evidence_body
from engine.treasury.authority import Address, Authority
from engine.treasury.desk_step import Begin
from engine.treasury.proposals import Proposal
from engine.values.action_records import (
    Answered,
    Asked,
    Ending,
    EvidenceGiven,
    Person,
    RosterSet,
    WordRefused,
)
from engine.values.action_words import (
    Action,
    Answer,
    Initiator,
    Override,
    Request,
    Role,
    Scope,
    Statement,
    StopActions,
)
from engine.values.events import Halt
from engine.values.units import NS_PER_S, Ns

DESK = "drill"
PEOPLE = {
    "fay": Role.FINANCE,
    "olga": Role.OPERATIONS,
    "eva": Role.EXECUTIVE,
    "otto": Role.OPERATIONS,
}
ASKER = "otto"
VALID_NS = 20 * 60 * NS_PER_S


def drill_authority(authority: Authority, addresses: Sequence[Address]) -> Authority:
    """The same rows for a desk that nobody else has, which may send to the drill's addresses."""
    return msgspec.structs.replace(
        authority, desk=DESK, addresses=[*authority.addresses, *addresses]
    )


class DrillPlace:
    """Stops halt the engine's markets; what belongs on the chain goes there."""

    def __init__(self, live: Live, chain: ChainPlace) -> None:
        self._live = live
        self._chain = chain
        self._stopped: set[str] = set()

    async def execute(self, begin: Begin) -> Outcome:
        inner = begin.action.does if isinstance(begin.action, Override) else begin.action
        if not isinstance(inner, StopActions):
            return await self._chain.execute(begin)
        for market in _stopped(inner, list(self._live.engine.makers)):
            at_ns = self._live.clock.now_ns()
            reason = f"stop {inner.scope} {inner.name}".rstrip()
            await self._live.tell(Halt(market=market, at_ns=at_ns, who=DESK, reason=reason))
        self._stopped.add(begin.reference)
        return STOPPED

    async def ask(self, reference: str) -> Outcome | None:
        return STOPPED if reference in self._stopped else await self._chain.ask(reference)


def _stopped(action: StopActions, markets: Sequence[str]) -> list[str]:
    """The markets that a stop reaches: all, those of a venue, those of an asset."""
    match action.scope:
        case Scope.ALL:
            return list(markets)
        case Scope.VENUE:
            return [market for market in markets if market.endswith(f"@{action.name}")]
        case Scope.ASSET:
            return [market for market in markets if action.name in market.split("@")[0].split("/")]
        case Scope.ACTION:
            return []
        case _:
            assert_never(action.scope)


STOPPED = Outcome(ending=Ending.DONE, has_moved=True, why="halted")


class DrillDesk:
    """Asks as operations, signs as whoever the policy wants, and carries out."""

    def __init__(self, driver: ActionDriver, directory: Path, now_ns: Callable[[], Ns]) -> None:
        self.driver = driver
        self._now_ns = now_ns
        self._signers: dict[str, Signer] = {}
        for name in PEOPLE:
            make_key(directory / f"{name}.pem")
            self._signers[name] = Signer(directory / f"{name}.pem")
        self._asked = 0

    async def open(self) -> None:
        """Bring the people of the drill into force."""
        people = [
            Person(name=name, role=role, key=self._signers[name].public, contact="", absences=[])
            for name, role in PEOPLE.items()
        ]
        digest = digest_of(msgspec.json.encode(people))
        await self.driver.load(
            [RosterSet(at_ns=self._now_ns(), who=DESK, name=DESK, digest=digest, people=people)]
        )

    async def allow(self, action: Action, why: str) -> Proposal | str:
        """Ask, sign and begin. The proposal as it stands then, or why the policy refused it."""
        request = self._request(action, why)
        body = encoded(request)
        signature = self._signers[ASKER].sign(SIGNED_REQUEST + body)
        step = await self.driver.take(Asked(at_ns=self._now_ns(), body=body, signature=signature))
        refused = [record for record in step.records if isinstance(record, WordRefused)]
        if refused:
            return refused[0].why
        for slot in self.driver.desk.proposals[request.name].open_slots:
            await self.driver.take(self._approval(request, slot))
        await self.driver.carry_out()
        return self.driver.desk.proposals[request.name]

    async def prove(self, proposal: Proposal) -> list[str]:
        """Hand in whatever evidence is missing; what is missing even so."""
        for item in proposal.missing:
            who = next(name for name in reversed(PEOPLE) if name != ASKER)
            word = EvidenceGiven(
                at_ns=self._now_ns(),
                name=proposal.name,
                item=item,
                digest=digest_of(item.encode()),
                who=who,
                signature=b"",
            )
            signature = self._signers[who].sign(SIGNED_EVIDENCE + evidence_body(word))
            await self.driver.take(msgspec.structs.replace(word, signature=signature))
        return list(self.driver.desk.proposals[proposal.name].missing)

    def _request(self, action: Action, why: str) -> Request:
        self._asked += 1
        authority, now_ns = self.driver.desk.authority, self._now_ns()
        code = DESK if DESK in authority.codes else authority.codes[0]
        return Request(
            desk=authority.desk,
            name=f"drill-{self._asked}",
            at_ns=now_ns,
            expires_ns=now_ns + VALID_NS,
            who=ASKER,
            initiator=Initiator.OPERATIONS,
            function=authority.functions[0],
            code=code,
            why=why,
            action=action,
        )

    def _approval(self, request: Request, slot: Sequence[Role]) -> Answered:
        """By somebody of the slot's roles who did not ask."""
        who, role = next(
            (name, role) for name, role in PEOPLE.items() if role in slot and name != ASKER
        )
        now_ns = self._now_ns()
        statement = Statement(
            digest=digest_of(encoded(request)),
            name=request.name,
            answer=Answer.APPROVE,
            who=who,
            role=role,
            at_ns=now_ns,
            expires_ns=now_ns + VALID_NS,
            why="",
        )
        body = encoded(statement)
        signature = self._signers[who].sign(SIGNED_STATEMENT + body)
        return Answered(at_ns=now_ns, body=body, signature=signature)
