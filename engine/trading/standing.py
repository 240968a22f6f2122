"""Whether a market may quote, derived at every look from what is doubted, latched and proved."""

from enum import StrEnum

from engine.values.units import Ns, Side

STOPPING = "stopping"


class MarketState(StrEnum):
    INIT = "INIT"
    RECONCILING = "RECONCILING"
    READY = "READY"
    QUOTING = "QUOTING"
    PULLED = "PULLED"
    CANCEL_ONLY = "CANCEL_ONLY"
    HALTED = "HALTED"


QUOTING, READY = (MarketState.QUOTING, ""), (MarketState.READY, "nothing quoted")
NOT_SIGHT = ("risk", "treasury")
"""Doubts that are no word about what is seen: a row of the gate, or nothing released to quote."""


class Standing:
    """The doubts about one market, by source. A market quotes only while there are none.

    A doubt goes when its source settles it; a freeze and a halt go only when a person resumes.
    """

    def __init__(self, halted: str = "") -> None:
        self.halted = halted
        self.frozen = ""
        self.stopping = ""
        self.private_down = "not connected"
        self.is_reconciled = False
        self._unproved_ns: Ns = 0
        self.doubts: dict[str, str] = {"book": "no snapshot yet", "public link": "not connected"}

    def doubt(self, source: str, reason: str) -> None:
        self.doubts[source] = reason

    def settle(self, source: str) -> None:
        self.doubts.pop(source, None)

    def freeze(self, reason: str) -> None:
        """Pull, cancel only, wait for a person. The first reason is the one worth reading."""
        self.frozen = self.frozen or reason

    def halt(self, reason: str) -> None:
        self.halted = self.halted or reason

    def stop(self, who: str) -> None:
        self.stopping = f"{STOPPING}, asked by {who}"

    def remember(self, state: str, reason: str) -> None:
        """What the journal says the market was: halts and freezes outlive the process."""
        if state == MarketState.HALTED:
            self.halt(reason)
        elif state == MarketState.CANCEL_ONLY and not reason.startswith(STOPPING):
            self.freeze(reason)

    def resume(self) -> None:
        self.halted = self.frozen = ""
        self.doubts.pop("strategy", None)

    def lose_proof(self, now_ns: Ns) -> None:
        """Only a reading of the venue that leaves from now on shows where we stand."""
        self.is_reconciled, self._unproved_ns = False, now_ns

    def proved(self, asked_ns: Ns) -> None:
        """A reading that left then agreed with us. One from before the loss proves nothing."""
        if asked_ns >= self._unproved_ns and not self.private_down:
            self.is_reconciled = True

    @property
    def may_quote(self) -> bool:
        latched = self.halted or self.frozen or self.stopping or self.private_down
        return self.is_reconciled and not (self.doubts or latched)

    def may_quote_but_for(self, *sources: str) -> bool:
        """Whether nothing, or nothing but these sources of doubt, stands against quoting."""
        latched = self.halted or self.frozen or self.stopping
        has_sight = self.is_reconciled and not self.private_down
        return has_sight and not latched and (not self.doubts or self.doubts.keys() <= {*sources})

    def state(self, has_quotes: bool) -> tuple[MarketState, str]:
        """The state and the reason that a person reads; the graver one wins."""
        if self.halted:
            return MarketState.HALTED, self.halted
        if self.frozen or self.stopping:
            return MarketState.CANCEL_ONLY, self.frozen or self.stopping
        if self.private_down:
            return MarketState.INIT, f"private link: {self.private_down}"
        if not self.is_reconciled:
            return MarketState.RECONCILING, "asking the venue what is open"
        if self.doubts:
            source, reason = next(iter(self.doubts.items()))
            return MarketState.PULLED, f"{source}: {reason}"
        return QUOTING if has_quotes else READY


def missing_side(side: Side, state: tuple[MarketState, str], absent: str, is_wished: bool) -> str:
    """Why a side is not quoted: the market's state first, then what became of the wish."""
    if state[0] not in (MarketState.QUOTING, MarketState.READY):
        return f"{state[0].value}: {state[1]}"
    if is_wished:
        return "wished, but no new order may go out yet: see risk, or an order that is leaving"
    return absent or f"no {side.value} level was wished"
