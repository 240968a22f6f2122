"""Whether a hedge market can be relied on: well, failed, or on trial until it has proved itself."""

from enum import StrEnum

import msgspec

from engine.trading.hedge_params import HedgeParams
from engine.values.units import NS_PER_S, Ns


class Health(StrEnum):
    WELL = "well"
    FAILED = "failed"
    """Nothing is sent there."""
    TRIAL = "on trial"
    """The venue has answered since; the next order shows whether it can be relied on."""


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """What is seen of a hedge market now.

    `unable` is why it can take no order, "" if it can. `doubt` is what is wrong with an order of
    ours there, "" for nothing. `is_proved`: every order of ours there has ended, and the venue
    answered a reading of its own state that left after the failure. `is_idle`: nothing is wanted.
    """

    now_ns: Ns
    unable: str
    doubt: str
    is_proved: bool
    is_idle: bool


class VenueHealth:
    """One hedge market, of one quoted market. A new one is taken to be well until it shows."""

    def __init__(self, params: HedgeParams) -> None:
        self.heed(params)
        self.state = Health.WELL
        self.why = ""
        self.failed_ns: Ns = 0
        self._unable_ns: Ns | None = None

    def __repr__(self) -> str:
        return f"<{self.state} {self.why}>"

    def heed(self, params: HedgeParams) -> None:
        self._answer_ns_max = round(params.answer_s_max * NS_PER_S)
        self._retry_ns = round(params.retry_s * NS_PER_S)

    def remember(self, state: str, why: str, at_ns: Ns) -> None:
        """What the journal says: a failure outlives the process."""
        self.state, self.why = Health(state), why
        if self.state is Health.FAILED:
            self.failed_ns = at_ns

    def mind(self, at: Sight) -> bool:
        """Take in what is seen; True where that changed the state."""
        unable = self._unable_too_long(at)
        match self.state:
            case _ if (unable or at.doubt) and self.state is not Health.FAILED:
                return self._turn(Health.FAILED, at.doubt or unable, at.now_ns)
            case Health.FAILED:
                rested = at.now_ns - self.failed_ns >= self._retry_ns
                if rested and at.is_proved and not (at.unable or at.doubt):
                    return self._turn(Health.TRIAL, self.why, at.now_ns)
            case Health.TRIAL if at.is_idle:
                return self._turn(Health.WELL, "", at.now_ns)
            case _:
                pass
        return False

    def answered(self, at_ns: Ns) -> bool:
        """An order has ended there by the venue's own word. True where that ends a trial."""
        return self.state is Health.TRIAL and self._turn(Health.WELL, "", at_ns)

    def _unable_too_long(self, at: Sight) -> str:
        if not at.unable:
            self._unable_ns = None
            return ""
        if self._unable_ns is None:
            self._unable_ns = at.now_ns
        return at.unable if at.now_ns - self._unable_ns > self._answer_ns_max else ""

    def _turn(self, state: Health, why: str, at_ns: Ns) -> bool:
        self.remember(state, why, at_ns)
        return True
