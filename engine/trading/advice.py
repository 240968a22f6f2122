"""What a market asks of whoever minds its rating and its playbook; `counsel` is who answers.

A market without a playbook has nobody to ask, and pays nothing for it: not even the imports.
"""

from typing import Any, Protocol

from engine.trading.hedge_params import HedgeParams
from engine.trading.hedge_sight import HedgeSight
from engine.trading.policy_ruling import Ruling
from engine.trading.strategy import View
from engine.trading.trials import Supposed, Trial
from engine.treasury.bands import Bands, Zone
from engine.values.events import BarFact, PlaybookSet, RatingSet, Trade
from engine.values.records import Record
from engine.values.units import Lot, Ns


class Advice(Protocol):
    """One market's rating, context and playbook, joined. Pure: facts in, a ruling out."""

    broad: str
    """The market that stands for all others, "" for none."""

    @property
    def hedge(self) -> HedgeParams:
        """The playbook's numbers for cover."""
        ...

    def spans_ns(self, market: str) -> tuple[Ns, ...]:
        """Which bars of this or of the broad market are wanted."""
        ...

    def on_bars(self, fact: BarFact) -> None: ...

    def on_trade(self, fact: Trade) -> None: ...

    def on_lost(self, at_ns: Ns) -> None:
        """The book is not vouched for, and trades may pass unseen."""
        ...

    def on_rating(self, word: RatingSet) -> None: ...

    def load(self, word: PlaybookSet) -> str:
        """Take another playbook from now on; why not, "" where it did."""
        ...

    def heed(self, bands: Bands) -> None:
        """Other bands from now on."""
        ...

    def observe(self, view: View) -> None:
        """The market as it is, some times a second."""
        ...

    def rating(self, now_ns: Ns) -> RatingSet | None:
        """The rating that the market is run by now."""
        ...

    def rule(self, now_ns: Ns, position_lots: Lot, zone: Zone) -> Ruling:
        """What follows from all of it. The same object while nothing that counts has changed."""
        ...

    def records(self, now_ns: Ns) -> list[Record]:
        """Ratings and rulings that are new since the last call."""
        ...

    def remember(self, record: Record) -> None:
        """A record of an earlier session."""
        ...

    def sight(self, now_ns: Ns, markets: tuple[str, ...]) -> HedgeSight:
        """What a hedge in these markets is decided by."""
        ...

    def suppose(
        self, supposed: Supposed, now_ns: Ns, position_lots: Lot, markets: tuple[str, ...]
    ) -> tuple[Trial, Trial]:
        """At once, and when sizes have grown and the signal has held. Changes nothing here."""
        ...

    def told(self, now_ns: Ns) -> dict[str, Any]:
        """The five questions with their answers, for people."""
        ...
