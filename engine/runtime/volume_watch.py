"""Asks each venue what anybody traded of an asset in the last 24 hours, and tells the treasury.

A venue that does not say so is not asked again: the engine's own tally of public trades stands in
(`engine.trading.day_volume`). One that does not answer is asked again, and told of once.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from engine.treasury.facts import Scheme
from engine.values.errors import VenueError
from engine.values.instrument import Instrument
from engine.values.ports import Clock, Inbox, TellsVolumes
from engine.values.treasury_words import VolumeSeen
from engine.values.units import Atoms

EVERY_S = 60.0
WHO = "venue"
TOKENS_MAX = 10**24


class VolumeWatch:
    """`gateways` by venue, whatever they can do; `items` the markets that are looked at."""

    def __init__(
        self,
        gateways: Mapping[str, Any],
        items: Sequence[Instrument],
        scheme: Scheme,
        clock: Clock,
        tell: Callable[[str], None],
    ) -> None:
        self._gateways = {
            venue: gateway
            for venue, gateway in gateways.items()
            if isinstance(gateway, TellsVolumes)
        }
        self._items = [
            item
            for item in items
            if item.venue in self._gateways
            and item.base in scheme.assets
            and item.quote == scheme.money.name
        ]
        self._scheme, self._clock, self._tell = scheme, clock, tell
        self._silent: set[str] = set()

    async def watch(self, inbox: Inbox, every_s: float = EVERY_S) -> None:
        """Until it is cancelled; returns where there is nothing to ask."""
        while self._items:
            for item in list(self._items):
                fact = await self.ask(item)
                if fact is not None:
                    inbox.put(fact)
            await asyncio.sleep(every_s)

    async def ask(self, item: Instrument) -> VolumeSeen | None:
        """None where the venue does not say, or not now."""
        try:
            text = await self._gateways[item.venue].day_volume(item.symbol)
        except VenueError as error:
            if item.market not in self._silent:
                self._silent.add(item.market)
                self._tell(f"{item.market}: no volume of the day: {error.text}; asked again")
            return None
        self._silent.discard(item.market)
        atoms = None if text is None else atoms_of(text, self._scheme.asset(item.base).exponent)
        if atoms is None:
            self._items.remove(item)
            return None
        return VolumeSeen(
            at_ns=self._clock.now_ns(), who=WHO, venue=item.venue, asset=item.base, atoms=atoms
        )


def atoms_of(text: str, exponent: int) -> Atoms | None:
    """Whole atoms, rounded down; None for what is no amount."""
    try:
        tokens = Decimal(text)
    except InvalidOperation:
        return None
    if not tokens.is_finite() or not 0 <= tokens < TOKENS_MAX:
        return None
    return int(tokens.scaleb(exponent))
