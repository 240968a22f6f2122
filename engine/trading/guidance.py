"""What a rating and a playbook change in a market: how its quotes lean, what its gate allows."""

from typing import Any

from engine.signals.stance import Stance, stance_at
from engine.trading.advice import Advice
from engine.trading.policy_ruling import Ruling
from engine.trading.risk import Gate
from engine.trading.strategy import UPRIGHT, Lean
from engine.treasury.bands import Zone
from engine.values.events import RatingSet
from engine.values.units import Lot, Ns


class Guidance:
    """Between the advice of one market and those who heed it. Without advice nothing leans."""

    def __init__(self, advice: Advice | None, gate: Gate) -> None:
        self.advice = advice
        self.ruling: Ruling | None = None
        self.has_turned = False
        """Whether the quotes should lean in another way than when the strategy was last asked."""
        self._gate = gate
        self.has_rating = advice is not None
        """Whether a stance has to be asked for: without a rating it is always neutral."""
        self._rating: RatingSet | None = None
        self._lean = UPRIGHT

    def on_rating(self, word: RatingSet) -> None:
        self._rating = word
        self.has_rating = True
        if self.advice is not None:
            self.advice.on_rating(word)

    @property
    def row(self) -> str:
        """The playbook's row that is in force, "" for none."""
        return self.ruling.posture.row if self.ruling is not None else ""

    def told(self, now_ns: Ns) -> dict[str, Any]:
        """The five questions with their answers, for people; nothing without a playbook."""
        return self.advice.told(now_ns) if self.advice is not None else {}

    def stance(self, now_ns: Ns) -> Stance:
        rating = self._rating if self.advice is None else self.advice.rating(now_ns)
        return stance_at(rating, now_ns)

    def lean(self, now_ns: Ns, position_lots: Lot, zone: Zone) -> Lean:
        """How the quotes lean now. The gate's limits are narrowed with it."""
        if self.advice is None:
            return UPRIGHT
        ruling = self.advice.rule(now_ns, position_lots, zone)
        if ruling is not self.ruling:
            self._heed(ruling)
        return self._lean

    def _heed(self, ruling: Ruling) -> None:
        self.ruling = ruling
        lean = lean_of(ruling)
        if lean != self._lean:
            self._lean, self.has_turned = lean, True
        self._gate.narrow(ruling.room_bid_lots, f"playbook: {ruling.room_by}", ruling.stops_share)


def lean_of(ruling: Ruling) -> Lean:
    return Lean(
        row=ruling.posture.row,
        bid_size=ruling.bid_size,
        ask_size=ruling.ask_size,
        bid_closer=ruling.bid_closer,
        bid_out_ticks=ruling.bid_out_ticks,
        ask_out_ticks=ruling.ask_out_ticks,
        upper_ask_out_ticks=ruling.upper_ask_out_ticks,
    )
