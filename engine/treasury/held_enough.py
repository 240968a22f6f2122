"""Whether there is as much of anything as an action wants to move: no place could ever do more."""

from engine.treasury.actions import coins_of
from engine.treasury.depth import rescaled
from engine.treasury.facts import Facts
from engine.treasury.locks import total_atoms
from engine.values.action_words import Action, Coins, HedgeAction, Override
from engine.values.units import decimal_text


def beyond_held(action: Action, facts: Facts) -> str:
    """Why it is too large for anybody, as one line; "" where it is not.

    All that is held anywhere counts, what is locked as well: when it can be used is asked later.
    While a place has not been seen nobody knows. A hedge covers what is held and moves none of it.
    """
    inner = action.does if isinstance(action, Override) else action
    seen = {place for place, _ in facts.held}
    if isinstance(inner, HedgeAction) or not facts.scheme.places.keys() <= seen:
        return ""
    return next((why for coins in coins_of(inner) if (why := _beyond(coins, facts))), "")


def _beyond(coins: Coins, facts: Facts) -> str:
    if coins.asset not in facts.scheme.names():
        return ""
    exponent = facts.scheme.asset(coins.asset).exponent
    held = total_atoms(facts, coins.asset)
    if rescaled(coins.atoms, coins.exponent, exponent, is_up=True) <= held:
        return ""
    wanted = decimal_text(coins.atoms, coins.exponent)
    return f"{wanted} {coins.asset} is more than all that is held: {decimal_text(held, exponent)}"
