"""The words of a playbook: the answers that its rows ask for, and what a row makes of them."""

from enum import StrEnum

import msgspec

from engine.signals.outlook import (
    Correlation,
    DepthTrend,
    Regime,
    Thickness,
    Turnover,
    VolatilityTrend,
)
from engine.treasury.bands import Zone


class Signal(StrEnum):
    """Question 1: what the rating says. Stale says UNKNOWN, which reads as neutral or worse."""

    STRONG_BUY = "strong buy"
    BUY = "buy"
    NEUTRAL = "neutral"
    SELL = "sell"
    STRONG_SELL = "strong sell"
    UNKNOWN = "unknown"


class Inventory(StrEnum):
    """Question 2: where the position stands in its bands."""

    BELOW = "below"
    INSIDE = "inside"
    ABOVE = "above"
    CAP = "at the cap"
    UNKNOWN = "unknown"


INVENTORY_OF = {
    Zone.FLOOR: Inventory.BELOW,
    Zone.BELOW: Inventory.BELOW,
    Zone.INSIDE: Inventory.INSIDE,
    Zone.ABOVE: Inventory.ABOVE,
    Zone.CAP: Inventory.CAP,
}


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """One cell of the grid: an answer to each question, in the order in which they are asked."""

    signal: Signal
    inventory: Inventory
    btc: Regime
    correlation: Correlation
    depth: DepthTrend
    volatility: VolatilityTrend
    book: Thickness
    turnover: Turnover


QUESTIONS: dict[str, type[StrEnum]] = {
    "signal": Signal,
    "inventory": Inventory,
    "btc": Regime,
    "correlation": Correlation,
    "depth": DepthTrend,
    "volatility": VolatilityTrend,
    "book": Thickness,
    "turnover": Turnover,
}
"""Every question and its answers: the grid that a playbook must cover (69,120 cells)."""


class HedgeStance(StrEnum):
    """How inventory off its target is covered, from least cover to most."""

    HOLD = "hold"
    """Start no cover; what stands may be let go where inventory is below its target."""
    STAGED = "staged"
    """The stages as configured."""
    EXCESS = "excess"
    """Cover what stands over the target now, whatever the stage."""
    MORE = "more"
    """The stages come sooner and larger, still one after the other."""
    ACCELERATE = "accelerate"
    """Cover what stands over the target now and let the inventory shrink."""


class QuoteStance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the shape of the quotes leans. Shares are of what the strategy would show by itself.

    `bid_closer` is the share taken off the distance between bids (0 to 0.45); it counts only while
    volatility is not rising and the book not thinning. `*_out_ticks` move every level of the side
    away from the market, `upper_ask_out_ticks` each further ask once more. Sizes are more than 0:
    no row takes a side away.
    """

    bid_size: float
    ask_size: float
    bid_closer: float
    bid_out_ticks: float
    ask_out_ticks: float
    upper_ask_out_ticks: float

    def __post_init__(self) -> None:
        if not (0.1 <= self.bid_size <= 2 and 0.1 <= self.ask_size <= 2):
            raise ValueError("bid_size and ask_size lie between 0.1 and 2")
        if not 0 <= self.bid_closer <= 0.45:
            raise ValueError("bid_closer lies between 0 and 0.45")
        outs = (self.bid_out_ticks, self.ask_out_ticks, self.upper_ask_out_ticks)
        if not all(0 <= ticks <= 1_000 for ticks in outs):
            raise ValueError("ticks outwards lie between 0 and 1000")


class LimitStance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of the approved limits is used. A row only ever tightens them.

    `cap_share`: of the way from target to cap that inventory may go. `may_add`: whether bids may
    carry inventory above its target at all. `stops_share`: of the thresholds of the gate's rows for
    loss, volatility and inventory.
    """

    cap_share: float
    may_add: bool
    stops_share: float

    def __post_init__(self) -> None:
        if not (0 <= self.cap_share <= 1 and 0 < self.stops_share <= 1):
            raise ValueError("cap_share lies between 0 and 1, stops_share above 0 and up to 1")


class Posture(msgspec.Struct, frozen=True, kw_only=True):
    """Question 5: what is done. `row` names the playbook's row, `reason` says why, for people."""

    row: str
    reason: str
    quotes: QuoteStance
    hedge: HedgeStance
    limits: LimitStance

    @property
    def exposure(self) -> tuple[float, ...]:
        """What may come of it, part by part: more is riskier in each. Rows form one order of these.

        Asks are not in it: a wider ask keeps the spread and slows a sale, it buys nothing.
        """
        quotes, limits = self.quotes, self.limits
        return (
            limits.cap_share if limits.may_add else 0.0,
            quotes.bid_size,
            quotes.bid_closer,
            -quotes.bid_out_ticks,
            -float(list(HedgeStance).index(self.hedge)),
            limits.stops_share,
        )


AS_IT_IS = Posture(
    row="no playbook",
    reason="this market has no playbook: ratings change nothing",
    quotes=QuoteStance(
        bid_size=1.0,
        ask_size=1.0,
        bid_closer=0.0,
        bid_out_ticks=0.0,
        ask_out_ticks=0.0,
        upper_ask_out_ticks=0.0,
    ),
    hedge=HedgeStance.STAGED,
    limits=LimitStance(cap_share=1.0, may_add=True, stops_share=1.0),
)
