"""A limit that is passed and a band that is left: told at once, once, and never flattered."""

from engine.trading.steward import Steward
from engine.trading.treasury_alarms import Alarms
from engine.treasury.calibration import CalibrationParams
from engine.treasury.liquid import LiquidParams
from engine.treasury.rebalance import RebalanceParams, Rebalancer
from engine.treasury.treasury import Treasury
from engine.values.rebalance_records import BandMoved, BandsChecked, BandZone
from engine.values.step import Step
from engine.values.treasury_words import FloatSet, LimitMoved
from engine.values.units import NS_PER_S
from tests.holdings_builders import scheme as small
from tests.sim.world import World
from tests.steward_builders import TARGET, UNIT, VENUE, limits, scheme

PARAMS = RebalanceParams(
    check_hour=0, back_to_ppm=1_000_000, worst_ppm=20_000, child_ppm=100_000, until_h=24,
    calibration=CalibrationParams(noise_times=2.0, participation_ppm=100_000, payout_days=2),
)  # fmt: skip


def moved(second: int, *, breached: bool) -> LimitMoved:
    return LimitMoved(at_ns=second * NS_PER_S, limit="venues", subject="", breached=breached,
                      value="1", ceiling="0", fact="f")  # fmt: skip


class Hearing:
    """An engine's alarms second by second; what was said, as (second, verb)."""

    def __init__(self, alarms: Alarms) -> None:
        self.alarms = alarms
        self.said: list[tuple[int, str]] = []
        self._treasury = Treasury(small(), LiquidParams(token="BTT", within_h=24), [])

    def at(self, second: int, breached: bool | None = None) -> None:
        step = Step(commands=[], records=[], alerts=[])
        if breached is not None:
            self.alarms.hear([moved(second, breached=breached)], step)
        self.alarms.on_time(self._treasury, second * NS_PER_S, step)
        self.said += [(second, alert.text.split()[2].rstrip(":")) for alert in step.alerts]


def test_a_limit_that_flickers_is_told_once_and_again_when_it_has_been_calm() -> None:
    hearing = Hearing(Alarms(None))
    for second in range(100):
        hearing.at(second, second % 2 == 0)
    assert hearing.said == [(0, "passed")]
    for second in range(100, 200):
        hearing.at(second)
    assert hearing.said == [(0, "passed"), (159, "holds")]
    hearing.at(200, True)
    assert hearing.said[2:] == [(200, "passed")]


def test_the_last_word_is_never_better_than_it_is() -> None:
    hearing = Hearing(Alarms(None))
    hearing.at(0, True)
    hearing.at(10, False)
    hearing.at(40, True)
    for second in range(41, 200):
        hearing.at(second)
    assert hearing.said == [(0, "passed")]


def test_a_restart_says_nothing_twice() -> None:
    alarms = Alarms(None)
    alarms.remember(moved(0, breached=True))
    hearing = Hearing(alarms)
    hearing.at(5, True)
    assert hearing.said == []
    hearing.at(6, False)
    hearing.at(70)
    assert hearing.said == [(70, "holds")]


# --- an engine whose treasury only rules the quotes -----------------------------------------------


def watching() -> Steward:
    made = Treasury(scheme(), LiquidParams(token="BTT", within_h=24), [])
    return Steward(made, [], Rebalancer(PARAMS))


def test_without_a_desk_of_actions_a_band_is_told_and_nothing_is_checked_or_traded() -> None:
    world = World(1, begin=lambda now_ns: [limits(at_ns=now_ns)], steward=watching)
    world.run(5)
    less = FloatSet(at_ns=world.now, who="ann", venue=VENUE, asset="BTT",
                    atoms=TARGET * UNIT // 2, reason="test")  # fmt: skip
    world.deliver(less)
    alerts, begun = [], world.now
    process = world.engine.process

    def heard(event):
        step = process(event)
        alerts.extend(alert.text for alert in step.alerts)
        return step

    world.engine.process = heard
    world.run(20)
    found = [one for one in world.records if isinstance(one, BandMoved) and one.at_ns >= begun]
    assert [(one.asset, one.after) for one in found] == [("BTT", BandZone.UNDER)]
    assert [text for text in alerts if "its lower band" in text] == [
        "BTT at loopback is under its lower band: 50.0 % of its target"
    ]
    assert not [one for one in world.records if isinstance(one, BandsChecked)]
