"""When it is a market's turn: markets do the same things as often, and no two at one moment."""

from engine.values.units import PPM, Ns, Ppm


def next_turn_ns(now_ns: Ns, period_ns: Ns, phase_ppm: Ppm) -> Ns:
    """The first moment after `now_ns` that lies `phase_ppm` into a period: a period away at most.

    With hundreds of markets, work that all of them do each second would fall on one tick, and hold
    up whatever arrives then. Facts about all markets at once would bring them into step again, so
    the moment is the market's own and does not follow from when it last acted.
    """
    phase_ns = period_ns * phase_ppm // PPM
    return now_ns + period_ns - (now_ns - phase_ns) % period_ns
