"""What signals and the playbook say to whoever covers a market's inventory."""

import msgspec

from engine.signals.outlook import HedgeRatio
from engine.trading.hedge_choice import Carry
from engine.trading.posture import HedgeStance, Signal
from engine.values.units import Ns


class HedgeSight(msgspec.Struct, frozen=True, kw_only=True):
    """What signals and the playbook say now. `ratios` and `carries` by market; absent is unknown.

    For the other numbers see HedgeScene.
    """

    stance: HedgeStance
    signal: Signal
    signal_held_ns: Ns
    trend_sigmas: float | None
    turnover_ratio: float | None
    ratios: dict[str, HedgeRatio]
    carries: dict[str, Carry]
