"""What an engine asks of the treasury that its markets live on. A market without one is free."""

from collections.abc import Callable
from typing import Any, Protocol

from engine.trading.client_ids import ClientIds
from engine.trading.maker import Maker
from engine.treasury.bands import Bands
from engine.values.action_records import ActionWord
from engine.values.events import Event
from engine.values.records import Record
from engine.values.step import Step
from engine.values.treasury_words import TreasuryFact
from engine.values.units import Ns


class Actor(Protocol):
    """The part of a treasury that acts, where people may sign for it."""

    def open(self, makers: dict[str, Maker], ids: ClientIds) -> None:
        """What it sells and buys goes through these makers' markets, under these order ids."""
        ...

    def take(self, word: ActionWord, step: Step) -> None:
        """A signed word of a person, or a loaded file, about actions of the treasury."""
        ...


class Treasurer(Protocol):
    """Told every fact and every record once; answers by the bands that markets are given."""

    @property
    def actor(self) -> Actor | None:
        """None where the treasury only rules the quotes."""
        ...

    def join(self, makers: dict[str, Maker], heed: Callable[[Maker, Bands], None]) -> None:
        """The makers of this engine; `heed` gives one of them other bands."""
        ...

    def remember(self, record: Record) -> None:
        """A record of an earlier session, in its order."""
        ...

    def learn(self, fact: TreasuryFact, step: Step) -> None:
        """The word of a person or a file. `after` hears of the same fact when it is joined."""
        ...

    def count(self, maker: Maker, now_ns: Ns, step: Step) -> None:
        """Fills among the step's records, before `maker` decides on what comes after them."""
        ...

    def after(self, event: Event, now_ns: Ns, step: Step) -> None:
        """Once every maker has heard `event` and made its records."""
        ...

    def told(self, market: str) -> dict[str, Any]:
        """What a market may use and by which limit, for people; nothing where it is not ruled."""
        ...

    def account(self, picture: dict[str, Any], at: Callable[[Ns], str]) -> dict[str, Any]:
        """`picture` (`engine.trading.account_view`) with what only the treasury knows; `at` writes
        moments."""
        ...
