"""How much an action moves, and how much has moved like it within the rolling window.

Like it: the same family and business function, whoever asked. All that is out or allowed counts,
whatever its age; what was done counts for a window from its beginning; what never moved does not.
Nor does what still needs a signature: it is looked at again before it begins, and counts all that
began before it. So nobody holds up others by asking for much.
"""

from collections.abc import Callable, Iterable
from typing import TypeAlias

from engine.treasury.actions import coins_of, family_of
from engine.treasury.authority import Sizes
from engine.treasury.proposals import OUT, Proposal, Status
from engine.values.action_words import Action, Request
from engine.values.units import Atoms, Ns

Worth: TypeAlias = Callable[[Action], Atoms | None]
"""What an action moves, in money; None where a price is not known."""


def sizes_of(request: Request, proposals: Iterable[Proposal], worth: Worth, since_ns: Ns) -> Sizes:
    """The sizes of `request`; its own proposal, if it is there already, counts once."""
    each_money = worth(request.action)
    each_tokens: dict[str, Atoms] = {}
    for coins in coins_of(request.action):
        each_tokens[coins.asset] = each_tokens.get(coins.asset, 0) + coins.atoms
    window_tokens, window_money = dict(each_tokens), each_money
    is_before = True
    for other in proposals:
        is_before = is_before and other.name != request.name
        if not _counts(other, request, since_ns) or not (is_before or other.began_ns):
            continue
        for coins in coins_of(other.request.action):
            if coins.asset in window_tokens:
                window_tokens[coins.asset] += coins.atoms
        known = other.ruling.money_atoms
        money = worth(other.request.action) if known is None else known
        window_money = None if window_money is None or money is None else window_money + money
    return Sizes(
        each_money=each_money,
        each_tokens=each_tokens,
        window_money=window_money,
        window_tokens=window_tokens,
    )


def _counts(other: Proposal, request: Request, since_ns: Ns) -> bool:
    if other.name == request.name or other.request.function != request.function:
        return False
    if family_of(other.request.action) is not family_of(request.action):
        return False
    if other.status is Status.APPROVED or other.status in OUT:
        return True
    return other.has_moved and other.began_ns > since_ns
