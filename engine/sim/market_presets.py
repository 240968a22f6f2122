"""Synthetic markets as data: who trades in them, how often, how much and how far."""

import msgspec

from engine.values.units import Lot, Tick


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """What the token is worth, in fractions of a tick: a random walk drawn back to its mean.

    `deviation_ticks` is its spread over a long time, `relax_s` the time in which a distance from
    the mean falls to a third; it never leaves `low_ticks` to `high_ticks`.
    """

    mean_ticks: float
    deviation_ticks: float
    relax_s: float
    low_ticks: float
    high_ticks: float


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """Log-normal sizes: half of them above the median, cut at `lots_max`."""

    lots_median: Lot
    spread: float
    lots_max: Lot


class MakerPreset(msgspec.Struct, frozen=True, kw_only=True):
    """The background maker keeps `levels` a side and mends at most `adds_max` of them at once.

    `follow` is the share of the way to the value that its centre goes at each act; `impact_ticks`
    is the most by which recent one-sided fills of `impact_lots` push that centre away;
    `renew_chance` is how often it replaces its best order and so goes to the back of the queue.
    """

    gap_s: float
    levels: int
    step_ticks: Tick
    half_spread_ticks: float
    adds_max: int
    touch: Sizes
    deep: Sizes
    follow: float
    impact_ticks: float
    impact_lots: Lot
    renew_chance: float


class TakerPreset(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of taker: mean gap between its looks at the market, sizes, and its two distances.

    `reach_ticks` is how far behind the fair price it still trades, `edge_ticks` how far the book or
    the trend must be off before it acts (noise acts always).
    """

    gap_s: float
    sizes: Sizes
    reach_ticks: float
    edge_ticks: float = 0.0


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    value: Value
    maker: MakerPreset
    noise: TakerPreset
    large: TakerPreset
    informed: TakerPreset
    reflexive: TakerPreset


BTT_THIN = Preset(
    name="btt-thin",
    value=Value(mean_ticks=62.5, deviation_ticks=4.0, relax_s=14_400, low_ticks=42, high_ticks=88),
    maker=MakerPreset(
        gap_s=0.35,
        levels=5,
        step_ticks=1,
        half_spread_ticks=0.35,
        adds_max=2,
        touch=Sizes(lots_median=2_500_000, spread=0.5, lots_max=8_000_000),
        deep=Sizes(lots_median=7_000_000, spread=0.6, lots_max=20_000_000),
        follow=0.12,
        impact_ticks=1.2,
        impact_lots=20_000_000,
        renew_chance=0.3,
    ),
    noise=TakerPreset(
        gap_s=0.6,
        sizes=Sizes(lots_median=900_000, spread=0.8, lots_max=6_000_000),
        reach_ticks=3,
    ),
    large=TakerPreset(
        gap_s=90,
        sizes=Sizes(lots_median=40_000_000, spread=0.6, lots_max=150_000_000),
        reach_ticks=8,
    ),
    informed=TakerPreset(
        gap_s=1.0,
        sizes=Sizes(lots_median=4_000_000, spread=0.5, lots_max=20_000_000),
        reach_ticks=0.0,
        edge_ticks=0.25,
    ),
    reflexive=TakerPreset(
        gap_s=2.0,
        sizes=Sizes(lots_median=1_500_000, spread=0.7, lots_max=10_000_000),
        reach_ticks=2,
        edge_ticks=0.35,
    ),
)

LIQUID = Preset(
    name="liquid",
    value=Value(
        mean_ticks=6_000_000,
        deviation_ticks=9_000,
        relax_s=14_400,
        low_ticks=5_900_000,
        high_ticks=6_100_000,
    ),
    maker=MakerPreset(
        gap_s=0.2,
        levels=60,
        step_ticks=12,
        half_spread_ticks=1.4,
        adds_max=12,
        touch=Sizes(lots_median=40_000, spread=0.8, lots_max=400_000),
        deep=Sizes(lots_median=60_000, spread=1.0, lots_max=1_000_000),
        follow=0.8,
        impact_ticks=20,
        impact_lots=300_000,
        renew_chance=0.3,
    ),
    noise=TakerPreset(
        gap_s=0.12,
        sizes=Sizes(lots_median=900, spread=1.4, lots_max=100_000),
        reach_ticks=200,
    ),
    large=TakerPreset(
        gap_s=60,
        sizes=Sizes(lots_median=400_000, spread=0.6, lots_max=2_000_000),
        reach_ticks=600,
    ),
    informed=TakerPreset(
        gap_s=0.3,
        sizes=Sizes(lots_median=20_000, spread=0.8, lots_max=200_000),
        reach_ticks=0.0,
        edge_ticks=15,
    ),
    reflexive=TakerPreset(
        gap_s=0.8,
        sizes=Sizes(lots_median=5_000, spread=1.0, lots_max=50_000),
        reach_ticks=100,
        edge_ticks=8,
    ),
)

PRESETS = {preset.name: preset for preset in (BTT_THIN, LIQUID)}
