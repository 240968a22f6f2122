"""What a policy would have asked of actions that were recorded: a month of them, in order of time.

Every action counts in the windows of those after it, as if it had been allowed and done, since it
was. What the policy refuses counts for nothing: under it, it would not have been.
"""

from collections.abc import Iterable, Iterator

import msgspec

from engine.treasury.action_bytes import encoded
from engine.treasury.action_desk import ActionDesk
from engine.treasury.amounts import Price
from engine.treasury.authority import Authority
from engine.treasury.roster import Roster
from engine.values.action_records import Ending, Executed, Executing, Proposed, Ruling, Tier
from engine.values.action_words import Request, Role


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One action as it was, and the prices of its moment."""

    request: Request
    prices: tuple[Price, ...]


class Met(msgspec.Struct, frozen=True, kw_only=True):
    """What it would have met. `unsigned`: roles of whom nobody could have signed then."""

    request: Request
    ruling: Ruling
    unsigned: tuple[Role, ...]


def simulate(authority: Authority, past: Iterable[Recorded], roster: Roster) -> Iterator[Met]:
    """One answer an action. `past` is in order of time; an empty roster is not asked."""
    desk = ActionDesk(authority, _nobody_signs)
    for recorded in past:
        request = recorded.request
        for price in recorded.prices:
            desk.price(price)
        ruling = desk.ruling(request, request.at_ns)
        if ruling.tier is not Tier.REFUSED:
            _do(desk, request, ruling)
        desk.proposals.forget(request.at_ns - authority.window_ns)
        yield Met(request=request, ruling=ruling, unsigned=_unsigned(request, ruling, roster))


def _do(desk: ActionDesk, request: Request, ruling: Ruling) -> None:
    at_ns, name = request.at_ns, request.name
    allowed = msgspec.structs.replace(ruling, slots=[], duties=[])
    body = encoded(request)
    desk.remember(Proposed(at_ns=at_ns, name=name, body=body, signature=b"", ruling=allowed))
    desk.remember(Executing(at_ns=at_ns, name=name, reference="", money_atoms=ruling.money_atoms))
    desk.remember(
        Executed(at_ns=at_ns, name=name, ending=Ending.DONE, has_moved=True, why="recorded")
    )


def _unsigned(request: Request, ruling: Ruling, roster: Roster) -> tuple[Role, ...]:
    if not roster.people:
        return ()
    live = {person.role for person in roster.live(request.at_ns) if person.name != request.who}
    return tuple(slot[0] for slot in ruling.slots if not live.intersection(slot))


def _nobody_signs(key: str, signature: bytes, message: bytes) -> bool:
    return False
