"""How well we quoted: time at the touch, time on both sides, and a quoting obligation's uptime."""

from collections.abc import Iterator
from heapq import merge

import msgspec

from engine.sim.trail import Quoted, Trail
from engine.treasury.bands import Bands, Zone
from engine.values.events import Fill
from engine.values.instrument import Instrument
from engine.values.units import Levels, Lot, Ns, Tick

BPS = 10_000


class Obligation(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides show at least `lots_min` lots, each within `distance_bps` of the mid."""

    distance_bps: int
    lots_min: Lot


class Quoting(msgspec.Struct, kw_only=True):
    """Nanoseconds of each state, of `known_ns` in which the market's best prices were known.

    At the touch is at the market's best price or better. `spread_bps_ns` is the sum of our own
    spread in bps of the mid over the time on both sides. `obliged_ns` is None without obligation.
    """

    known_ns: Ns = 0
    bid_ns: Ns = 0
    ask_ns: Ns = 0
    both_ns: Ns = 0
    bid_touch_ns: Ns = 0
    ask_touch_ns: Ns = 0
    both_touch_ns: Ns = 0
    obliged_ns: Ns | None = None
    spread_bps_ns: float = 0.0

    def share(self, part_ns: Ns) -> float | None:
        return part_ns / self.known_ns if self.known_ns else None

    @property
    def spread_bps(self) -> float | None:
        """Our own mean spread while both sides stood, weighted by time."""
        return self.spread_bps_ns / self.both_ns if self.both_ns else None


def quoting_of(trail: Trail, ended_ns: Ns, obligation: Obligation | None) -> Quoting:
    """From the first known best prices to the end."""
    told = Quoting(obliged_ns=None if obligation is None else 0)
    for span_ns, top, quoted in _stretches(trail, ended_ns):
        _add(told, span_ns, top, quoted)
        if obligation is not None and told.obliged_ns is not None:
            told.obliged_ns += span_ns * is_obliged(obligation, top[0] + top[1], quoted)
    return told


def is_obliged(obligation: Obligation, mid_half_ticks: Tick, quoted: Quoted) -> bool:
    """Whether the obligation is met, in whole numbers: an order just at the distance counts."""
    sides = (quoted.bids, quoted.asks)
    return all(_shown(side, mid_half_ticks, obligation) >= obligation.lots_min for side in sides)


def _shown(side: Levels, mid: Tick, obligation: Obligation) -> Lot:
    reach = obligation.distance_bps * mid
    return sum(lots for tick, lots in side if abs(mid - 2 * tick) * BPS <= reach)


def _add(told: Quoting, span_ns: Ns, top: tuple[Tick, Tick], quoted: Quoted) -> None:
    told.known_ns += span_ns
    bid, ask = (side[0][0] if side else 0 for side in (quoted.bids, quoted.asks))
    at_bid, at_ask = bid >= top[0], 0 < ask <= top[1]
    told.bid_ns += span_ns * bool(bid)
    told.ask_ns += span_ns * bool(ask)
    told.bid_touch_ns += span_ns * at_bid
    told.ask_touch_ns += span_ns * at_ask
    told.both_touch_ns += span_ns * (at_bid and at_ask)
    if bid and ask:
        told.both_ns += span_ns
        told.spread_bps_ns += span_ns * 2 * BPS * (ask - bid) / (top[0] + top[1])


def _stretches(trail: Trail, ended_ns: Ns) -> Iterator[tuple[Ns, tuple[Tick, Tick], Quoted]]:
    """Spans in which neither the best prices nor our quotes changed."""
    tops = ((at, 0, place) for place, at in enumerate(trail.at_ns))
    ours = ((each.at_ns, 1, place) for place, each in enumerate(trail.quoted))
    top, quoted, since_ns = (0, 0), Quoted(0, [], []), 0
    for at_ns, is_ours, place in merge(tops, ours, [(ended_ns, 0, -1)]):
        if top[0] and at_ns > since_ns:
            yield at_ns - since_ns, top, quoted
        since_ns = at_ns
        if is_ours:
            quoted = trail.quoted[place]
        else:
            top = trail.bids[place], trail.asks[place]


# --- inventory ----------------------------------------------------------------------------------


class Held(msgspec.Struct, frozen=True):
    """The whole inventory from `at_ns` on, in whole lots, floored."""

    at_ns: Ns
    position_lots: Lot


def inventory_of(
    item: Instrument, fills: list[Fill], opening_base_atoms: int, began_ns: Ns
) -> list[Held]:
    """The opening balance and each change by a fill and its fee in the base asset."""
    base = opening_base_atoms
    found = [Held(began_ns, base // item.lot_base_atoms)]
    for fill in fills:
        base += fill.side.sign * item.base_atoms(fill.lots)
        base -= fill.fee_atoms if fill.fee_asset == item.base else 0
        if found[-1].at_ns == fill.at_ns:
            found.pop()
        found.append(Held(fill.at_ns, base // item.lot_base_atoms))
    return found


def time_in_zones(held: list[Held], bands: Bands, ended_ns: Ns) -> dict[Zone, Ns]:
    """Nanoseconds in each zone of the bands."""
    found = dict.fromkeys(Zone, 0)
    ends = [each.at_ns for each in held[1:]] + [ended_ns]
    for each, end_ns in zip(held, ends, strict=True):
        found[bands.zone(each.position_lots)] += max(0, end_ns - each.at_ns)
    return found
