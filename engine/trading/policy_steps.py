"""How displayed sizes follow a playbook's row: down at once, up step by step and with agreement.

Down at once on both sides: a smaller bid is less exposure, and a smaller ask is what a row asks for
when the market thins out. Up, on both sides, is what a market could be led on by.
"""

from collections.abc import Sequence

from engine.signals.outlook import DepthTrend, Regime, Thickness, Turnover, VolatilityTrend
from engine.trading.posture import Answers, QuoteStance
from engine.trading.rules import RulesParams
from engine.values.events import RatingLabel
from engine.values.units import NS_PER_S, Ns

NEVER: Ns = 1 << 62
DIGITS = 9
"""Shares are rounded here, so that ten steps of 0.01 are one of 0.1."""
BUYS = (RatingLabel.BUY, RatingLabel.STRONG_BUY)
SELLS = (RatingLabel.SELL, RatingLabel.STRONG_SELL)


def factors_for(answers: Answers, agreeing: Sequence[RatingLabel]) -> tuple[str, ...]:
    """Which factors besides the rating speak for a buy; unknown never does.

    Correlation is none of them: following a weak BTC closely, or not, says nothing for the token.
    Other time frames count once, and only where none of them says sell.
    """
    frames_agree = any(label in BUYS for label in agreeing)
    if frames_agree:
        frames_agree = not any(label in SELLS for label in agreeing)
    found = (
        answers.depth is DepthTrend.IMPROVING and "depth improving",
        answers.btc is Regime.STABLE and "BTC stable",
        is_calm(answers) and "volatility not rising",
        answers.book is Thickness.DEEP and "book deep",
        answers.turnover is Turnover.HIGH and "turnover high",
        frames_agree and "another time frame agrees",
    )
    return tuple(name for name in found if name)


def is_calm(answers: Answers) -> bool:
    """Whether volatility is known not to rise."""
    trend = answers.volatility
    return trend is VolatilityTrend.STEADY or trend is VolatilityTrend.FALLING


def may_close_up(answers: Answers) -> bool:
    """Whether bids may stand closer together: volatility and depth are both known to be well."""
    is_held = answers.depth is DepthTrend.STEADY or answers.depth is DepthTrend.IMPROVING
    return is_held and is_calm(answers)


class Sizes:
    """The shares of the strategy's own sizes that are displayed now. Both stay above 0."""

    def __init__(self, rules: RulesParams) -> None:
        self.bid = self.ask = 1.0
        self._bid_moved_ns: Ns | None = None
        self._ask_moved_ns: Ns | None = None
        self.due_ns = NEVER
        self.heed(rules)

    def heed(self, rules: RulesParams) -> None:
        self._confirmations_min = rules.confirmations_min
        self._step = rules.size_step
        self._every_ns = round(rules.size_step_every_s * NS_PER_S)

    def follow(self, wanted: QuoteStance, confirmations: int, now_ns: Ns) -> None:
        """Move toward a row's sizes. A market just met waits a step's time before it grows."""
        bid_moved_ns = now_ns if self._bid_moved_ns is None else self._bid_moved_ns
        ask_moved_ns = now_ns if self._ask_moved_ns is None else self._ask_moved_ns
        is_confirmed = confirmations >= self._confirmations_min
        bid = wanted.bid_size if is_confirmed else min(1.0, wanted.bid_size)
        self.bid, self._bid_moved_ns = self._moved(self.bid, bid, bid_moved_ns, now_ns)
        self.ask, self._ask_moved_ns = self._moved(self.ask, wanted.ask_size, ask_moved_ns, now_ns)
        bid_due_ns = self._bid_moved_ns + self._every_ns if self.bid < bid else NEVER
        ask_due_ns = self._ask_moved_ns + self._every_ns if self.ask < wanted.ask_size else NEVER
        self.due_ns = min(bid_due_ns, ask_due_ns)

    def restore(self, bid: float, ask: float, at_ns: Ns) -> None:
        self.bid, self.ask = bid, ask
        self._bid_moved_ns = self._ask_moved_ns = at_ns

    def _moved(self, shown: float, wanted: float, moved_ns: Ns, now_ns: Ns) -> tuple[float, Ns]:
        """(what is displayed now, when it last moved): growth waits after a fall, too."""
        if wanted == shown:
            return shown, moved_ns
        if wanted < shown:
            return wanted, now_ns
        if now_ns - moved_ns < self._every_ns:
            return shown, moved_ns
        return min(wanted, round(shown + self._step, DIGITS)), now_ns
