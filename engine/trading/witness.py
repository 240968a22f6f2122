"""What the venue itself said of our money, kept where it says something new: proof for auditors."""

from engine.trading.recovery import READ_AGAIN
from engine.values.events import Balance, VenueState
from engine.values.instrument import Instrument
from engine.values.records import Difference, Listed, Record


class Witness:
    """Which readings of one venue account become records.

    A market's instrument is kept with its first reading of each session, since nobody can read
    fills without it. A reading is kept where its balances changed and no fill on its way may
    explain them: so the journal alone can show that the books and the venue agreed, or did not.
    """

    def __init__(self, instruments: dict[str, Instrument]) -> None:
        self._instruments = instruments
        self._listed: set[str] = set()
        self._last: dict[str, list[Balance]] = {}

    def listed(self, state: VenueState) -> list[Record]:
        """The market as this process trades it, once."""
        if state.market in self._listed:
            return []
        self._listed.add(state.market)
        instrument = self._instruments[state.market]
        return [Listed(market=state.market, at_ns=state.at_ns, instrument=instrument)]

    def kept(self, state: VenueState, differences: list[Difference]) -> list[Record]:
        """The reading itself, if it is worth keeping."""
        is_racing = any(row.explained == READ_AGAIN for row in differences)
        if is_racing or self._last.get(state.market) == state.balances:
            return []
        self._last[state.market] = state.balances
        return [state]
