"""Fits Stoikov's micro-price: where the mid tends to go, given the imbalance and spread of the top.

Source: Stoikov, "The micro-price: a high-frequency estimator of future prices" (2018). The top is
a Markov chain over (imbalance bucket, spread) with mid moves as its rewards; the micro-price is mid
plus the expected sum of the moves to come. Fitted from recorded tops, symmetrised as in the paper.
"""

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np

from engine.market.microprice import Microprice
from engine.values.units import Lot, Tick

MOVES = 6
"""Mid moves looked ahead. The paper finds the sum settled after about this many."""
Matrix: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.float64]]
Vector: TypeAlias = np.ndarray[tuple[int], np.dtype[np.float64]]


def fit_microprice(
    tops: Iterable[tuple[Tick, Lot, Tick, Lot]], buckets: int, spread_max: Tick
) -> Microprice:
    """From the tops in order of time, one for each change: (bid, lots, ask, lots).

    States never seen shift nothing. Raises ValueError where there are no two tops.
    """
    states, mids = _states(tops, buckets, spread_max)
    if len(states) < 2:
        raise ValueError("a micro-price needs at least two tops")
    count = buckets * spread_max
    stays = np.zeros((count, count))
    moves = np.zeros((count, count))
    rewards = np.zeros(count)
    for before, now, change in zip(states, states[1:], np.diff(mids), strict=False):
        _record((stays, moves, rewards), before, now, float(change))
        _record((stays, moves, rewards), _mirror(before, buckets), _mirror(now, buckets), -change)
    shifts = _expected_moves(stays, moves, rewards).reshape(spread_max, buckets)
    return Microprice(shifts=tuple(tuple(float(x) for x in row) for row in shifts))


def _states(
    tops: Iterable[tuple[Tick, Lot, Tick, Lot]], buckets: int, spread_max: Tick
) -> tuple[list[int], list[float]]:
    states, mids = [], []
    for bid, bid_lots, ask, ask_lots in tops:
        bucket = min(bid_lots * buckets // (bid_lots + ask_lots), buckets - 1)
        states.append((min(max(ask - bid, 1), spread_max) - 1) * buckets + bucket)
        mids.append((bid + ask) / 2)
    return states, mids


def _mirror(state: int, buckets: int) -> int:
    """The same top seen by the other side."""
    spread, bucket = divmod(state, buckets)
    return spread * buckets + buckets - 1 - bucket


def _record(
    counts: tuple[Matrix, Matrix, Vector],
    before: int,
    now: int,
    change: float,
) -> None:
    stays, moves, rewards = counts
    if change:
        moves[before, now] += 1
        rewards[before] += change
    else:
        stays[before, now] += 1


def _expected_moves(stays: Matrix, moves: Matrix, rewards: Vector) -> Vector:
    """Sum over the next moves of B^i G1, with G1 = (1-Q)^-1 R k and B = (1-Q)^-1 T."""
    visits = np.maximum(stays.sum(axis=1) + moves.sum(axis=1), 1.0)[:, None]
    until_move = np.linalg.pinv(np.eye(len(rewards)) - stays / visits)
    expected = until_move @ (rewards / visits[:, 0])
    onward = until_move @ (moves / visits)
    total: Vector = np.zeros(len(rewards))
    for _ in range(MOVES):
        total += expected
        expected = onward @ expected
    return total
