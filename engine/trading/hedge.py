"""How much of the inventory over target should be covered now: three stages, one state machine.

It knows no market and no order. Its answer is a function of what it is told and of the stage that
stands, which the journal holds: so a restart goes on where the last process was.
"""

import math
from typing import assert_never

import msgspec

from engine.trading.hedge_params import HedgeParams, HedgeStage
from engine.trading.posture import HedgeStance, Signal
from engine.treasury.bands import Bands
from engine.values.units import NS_PER_S, Lot, Ns

BUYS = (Signal.BUY, Signal.STRONG_BUY)
SELLS = (Signal.SELL, Signal.STRONG_SELL)
STAGES = 3


class HedgeScene(msgspec.Struct, frozen=True, kw_only=True):
    """All that is looked at, at one moment. Lots are of the quoted token.

    `cover_lots` stands elsewhere by the hedge venues' own fills; `converted_lots` were sold out of
    the position itself while a stage stood. `signal_held_ns` is how long the rating's side has
    held. `trend_sigmas` is the market's move over its window in standard deviations (a fall is
    negative), `turnover_ratio` the turnover over the usual; None where not known. `demanded_lots`
    is what a row of the gate asks to have covered or converted, whatever the stage.
    """

    now_ns: Ns
    position_lots: Lot
    bands: Bands
    stance: HedgeStance
    signal: Signal
    signal_held_ns: Ns
    trend_sigmas: float | None
    turnover_ratio: float | None
    cover_lots: Lot
    converted_lots: Lot
    demanded_lots: Lot = 0

    @property
    def excess_lots(self) -> Lot:
        """What the position has over its target, 0 where it is below."""
        return max(0, self.position_lots - self.bands.target_lots)

    @property
    def unhedged_lots(self) -> Lot:
        """What stays counted in the cap: over target, and not confirmed to be covered."""
        return max(0, self.excess_lots - self.cover_lots)


class Cover(msgspec.Struct, frozen=True, kw_only=True):
    """What should stand elsewhere, in lots of the token, and why.

    `change_lots` is what is to be done about it: more than 0 sells, less lets go, and 0 is also
    said of a change too small for its cost. `target_lots` never exceeds what is over the target.
    """

    stage: int
    target_lots: Lot
    change_lots: Lot
    unhedged_lots: Lot
    may_let_go: bool
    why: str


class Stages:
    """Which stage stands, and since when. `remember` takes it from the journal."""

    def __init__(self, params: HedgeParams) -> None:
        self._params = params
        self.stage = 0
        self._changed_ns: dict[int, Ns] = {}

    def __repr__(self) -> str:
        return f"<hedge stage {self.stage}>"

    def heed(self, params: HedgeParams) -> None:
        """Other numbers from now on; the stage that stands goes on standing."""
        self._params = params

    def remember(self, stage: int, at_ns: Ns) -> None:
        """The stage that stood from this moment on."""
        for number in range(min(stage, self.stage) + 1, max(stage, self.stage) + 1):
            self._changed_ns[number] = at_ns
        self.stage = stage

    def decide(self, at: HedgeScene) -> Cover:
        """Move by a stage at most, and say what should be covered."""
        gone = _gone(at.bands, at.excess_lots)
        stage = self._next(at, gone)
        if stage != self.stage:
            self.remember(stage, at.now_ns)
        wanted, why = self._wanted(at, gone)
        is_back = not stage and gone < self._params.stage_1.release
        target, why, may_let_go = _held(at, wanted, why, is_back=is_back)
        return Cover(
            stage=stage,
            target_lots=target,
            change_lots=self._change(at, target),
            unhedged_lots=at.unhedged_lots,
            may_let_go=may_let_go,
            why=why,
        )

    # --- stages ---------------------------------------------------------------------------------

    def _next(self, at: HedgeScene, gone: float) -> int:
        """Up or down by one, unless a cool-down holds; below the target nothing stands at all."""
        if not at.excess_lots:
            return 0
        if self.stage and self._is_over(self.stage, at, gone):
            return self.stage if self._rests(self.stage, at.now_ns) else self.stage - 1
        above = self.stage + 1
        if self.stage < STAGES and self._begins(above, at, gone):
            return self.stage if self._rests(above, at.now_ns) else above
        return self.stage

    def _rests(self, number: int, now_ns: Ns) -> bool:
        changed_ns = self._changed_ns.get(number)
        cool_down_ns = round(self._stage(number).cool_down_s * NS_PER_S)
        return changed_ns is not None and now_ns - changed_ns < cool_down_ns

    def _begins(self, number: int, at: HedgeScene, gone: float) -> bool:
        threshold = self._stage(number).threshold * self._sooner(at)
        return gone >= threshold and self._is_backed(number, at)

    def _is_over(self, number: int, at: HedgeScene, gone: float) -> bool:
        """Inventory came back, or what the stage rested on is no more."""
        is_back = gone < self._stage(number).release * self._sooner(at)
        return is_back or not self._is_backed(number, at)

    def _is_backed(self, number: int, at: HedgeScene) -> bool:
        """Stage 2 wants a sell that held, stage 3 a falling trend with volume as well."""
        if number == 1:
            return True
        persistence_ns = round(self._params.persistence_s * self._sooner(at) * NS_PER_S)
        has_held = at.signal in SELLS and at.signal_held_ns >= persistence_ns
        return has_held if number == 2 else has_held and self._is_confirmed(at)

    def _is_confirmed(self, at: HedgeScene) -> bool:
        """What is not known confirms nothing."""
        trend, turnover = at.trend_sigmas, at.turnover_ratio
        if trend is None or turnover is None:
            return False
        is_falling = trend <= -self._params.trend_sigmas_min
        return is_falling and turnover >= self._params.turnover_ratio_min

    def _sooner(self, at: HedgeScene) -> float:
        return self._params.more_sooner if at.stance is HedgeStance.MORE else 1.0

    def _stage(self, number: int) -> HedgeStage:
        return self._params.stages[number - 1]

    # --- cover ----------------------------------------------------------------------------------

    def _wanted(self, at: HedgeScene, gone: float) -> tuple[Lot, str]:
        """Lots that should be covered, what was converted included, and why."""
        gross = max(0, at.position_lots + at.converted_lots - at.bands.target_lots)
        share, why = self._share(at, gone)
        wanted = math.floor(gross * share)
        demanded = min(gross, at.demanded_lots)
        if demanded > wanted:
            return demanded, "a row of the gate asks for it"
        return wanted, why

    def _share(self, at: HedgeScene, gone: float) -> tuple[float, str]:
        stance = at.stance
        match stance:
            case HedgeStance.EXCESS | HedgeStance.ACCELERATE:
                return 1.0, f"{stance}: all that is over the target"
            case HedgeStance.HOLD:
                is_over = self.stage > 0 and gone >= self._params.buy_over_threshold
                if is_over:
                    return self._params.buy_cover, "hold, but over-exposed: a part"
                return 0.0, "hold: no new cover"
            case HedgeStance.STAGED | HedgeStance.MORE:
                return self._staged(at)
            case _:
                assert_never(stance)

    def _staged(self, at: HedgeScene) -> tuple[float, str]:
        if not self.stage:
            return 0.0, "no stage stands"
        share = self._stage(self.stage).cover
        why = f"stage {self.stage}"
        if at.stance is HedgeStance.MORE:
            share = min(1.0, share * self._params.more_larger)
            why += ", more"
        if at.signal in BUYS:
            return share * self._params.buy_cover, f"{why}, a buy: a part"
        return share, why

    def _change(self, at: HedgeScene, target: Lot) -> Lot:
        """What is worth doing: small differences wait, but the last of a cover goes."""
        change = target - at.cover_lots
        way = at.bands.cap_lots - at.bands.target_lots
        is_last = not target and at.cover_lots > 0
        return change if is_last or abs(change) > way * self._params.change_min else 0


def _held(at: HedgeScene, wanted: Lot, why: str, *, is_back: bool) -> tuple[Lot, str, bool]:
    """(target, why, may let go): no signal ends cover; only inventory that came back does.

    Cover beyond what is over the target always goes. The rest stays until inventory `is_back` near
    the target, and while the rating is a buy (or the stance HOLD) until it is below.
    """
    target = min(max(0, wanted - at.converted_lots), at.excess_lots)
    if target >= at.cover_lots:
        return target, why, False
    if at.cover_lots > at.excess_lots:
        return at.excess_lots, "more is covered than stands over the target", True
    is_patient = at.stance not in (HedgeStance.STAGED, HedgeStance.MORE) or at.signal in BUYS
    if is_patient or not is_back:
        return at.cover_lots, f"{why}; what stands is kept", False
    return target, "inventory is back near its target", True


def _gone(bands: Bands, excess_lots: Lot) -> float:
    """How far from target to cap the position has gone, 0 at the target."""
    if not excess_lots:
        return 0.0
    way = bands.cap_lots - bands.target_lots
    return excess_lots / way if way else math.inf
