"""What our fills paid and what came after: effective and realised spread, impact, markouts.

With D = +1 where the aggressor buys, p the price, m the mid of the fill's moment and m_h that of h
later: effective = 2 D (p - m), realised = 2 D (p - m_h), impact = effective - realised, per unit.
A mid is half a tick fine and these are twice a distance, so in ticks all of them are whole numbers
and the identity is exact. Our markout is the move of the mid in our favour, twice as well: minus
the impact for a maker, the impact for a taker. (Huang and Stoll 1996, Journal of Financial
Economics 41; the factor of two makes the effective spread comparable with a quoted one.)
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from engine.values.events import Fill
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_MS, NS_PER_S, Atoms, Ns, Tick

HORIZONS_NS = (
    100 * NS_PER_MS, 500 * NS_PER_MS, *(s * NS_PER_S for s in (1, 5, 10, 30, 60, 300)),
)  # fmt: skip


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One fill. `impact_ticks` and `markout_atoms` go by horizon, None where the data end before.

    `effective_ticks` is per lot, `effective_atoms` and the markouts for all of its lots.
    """

    fill: Fill
    mid_half_ticks: Tick
    effective_ticks: Tick
    effective_atoms: Atoms
    impact_ticks: tuple[Tick | None, ...]
    markout_atoms: tuple[Atoms | None, ...]


class AtHorizon(msgspec.Struct, frozen=True, kw_only=True):
    """Maker fills whose moment `horizon_ns` later came before the end, in quote atoms.

    `effective_atoms` is of the same fills, so that it is realised plus impact to the atom.
    """

    horizon_ns: Ns
    fills: int
    unjudged: int
    traded_atoms: Atoms
    effective_atoms: Atoms
    realised_atoms: Atoms
    impact_atoms: Atoms

    @property
    def markout_atoms(self) -> Atoms:
        return -self.impact_atoms


def judge(
    item: Instrument,
    fills: Iterable[tuple[Fill, Tick]],
    mid_at: Callable[[Ns], Tick],
    ended_ns: Ns,
    horizons_ns: Sequence[Ns] = HORIZONS_NS,
) -> list[Judged]:
    """`fills` with the mids of their moments; `mid_at` tells the last known mid, in half ticks."""
    found = []
    for fill, mid in fills:
        aggressor = aggressor_sign(fill)
        effective = aggressor * (2 * fill.tick - mid)
        later = [fill.at_ns + horizon for horizon in horizons_ns]
        impacts = tuple(
            aggressor * (mid_at(at_ns) - mid) if at_ns <= ended_ns else None for at_ns in later
        )
        lots_atoms = item.quote_atoms(1, fill.lots)
        ours = aggressor * fill.side.sign * lots_atoms
        found.append(
            Judged(
                fill=fill,
                mid_half_ticks=mid,
                effective_ticks=effective,
                effective_atoms=effective * lots_atoms,
                impact_ticks=impacts,
                markout_atoms=tuple(None if each is None else ours * each for each in impacts),
            )
        )
    return found


def aggressor_sign(fill: Fill) -> int:
    """D: our own side where we took, the other where we made."""
    return -fill.side.sign if fill.is_maker else fill.side.sign


def at_horizons(
    item: Instrument, judged: Sequence[Judged], horizons_ns: Sequence[Ns] = HORIZONS_NS
) -> list[AtHorizon]:
    """Sums over the maker fills, a row a horizon."""
    makers = [each for each in judged if each.fill.is_maker]
    return [_at(item, makers, place, horizon_ns) for place, horizon_ns in enumerate(horizons_ns)]


def _at(item: Instrument, makers: list[Judged], place: int, horizon_ns: Ns) -> AtHorizon:
    traded = effective = realised = impact = fills = 0
    for each in makers:
        moved = each.impact_ticks[place]
        if moved is None:
            continue
        fill, lots_atoms = each.fill, item.quote_atoms(1, each.fill.lots)
        mid_then = each.mid_half_ticks + aggressor_sign(fill) * moved
        fills += 1
        traded += item.quote_atoms(fill.tick, fill.lots)
        effective += each.effective_atoms
        realised += aggressor_sign(fill) * (2 * fill.tick - mid_then) * lots_atoms
        impact += moved * lots_atoms
    assert effective == realised + impact, "effective = realised + impact"
    return AtHorizon(
        horizon_ns=horizon_ns,
        fills=fills,
        unjudged=len(makers) - fills,
        traded_atoms=traded,
        effective_atoms=effective,
        realised_atoms=realised,
        impact_atoms=impact,
    )
