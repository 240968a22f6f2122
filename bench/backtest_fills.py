"""The same orders in both simulators, order by order: `python -m bench.backtest_fills`.

Each second one order joins the best bid and one the best ask, as a host 5 ms behind sees them, and
is withdrawn 900 ms later. Compared is the moment of the first fill of each, under two queue models:
hftbacktest fills an order whole at that moment, ours by what traded. It rounds the lots in front to
whole ones where ours waits for a whole lot, so both are run with finer lots too. BENCH_PEERS as in
`bench_backtest`.
"""

import os
import sys
from heapq import merge
from itertools import product

import numpy as np

from bench.backtest_world import DELAY_NS, LOTS
from bench.feeds import BUY, DEPTH, Rows, busy_hour
from engine.sim.matching.queue import Power, RiskAverse
from engine.sim.matching.shadow import ShadowBook
from engine.sim.matching.terms import Kind, NewOrder
from engine.values.units import NS_PER_MS, NS_PER_S, Side

COUNT, REST_NS = 2_000_000, 900 * NS_PER_MS
MODELS = {"power": Power(1.0), "risk-averse": RiskAverse()}
SIDES = (Side.BUY, Side.SELL)
TELL, CANCEL, PLACE = range(3)
SHOWN = 6


def script(rows: Rows) -> Rows:
    """Rows of (ns, side, tick): what a host wishes that sees the feed as it arrives."""
    book = ShadowBook(Power(1.0))
    due_ns, found = int(rows[0, 1]) + NS_PER_S, []
    for kind, at_ns, side, tick, lots, _ in rows.tolist():
        if at_ns >= due_ns:
            bid, _, ask, _ = book.top()
            found += [(due_ns, 0, bid), (due_ns, 1, ask)]
            due_ns += NS_PER_S
        if kind == DEPTH:
            (book.bids if side == BUY else book.asks).put(tick, lots)
    lived = [wish for wish in found if wish[0] + NS_PER_S < rows[-1, 1]]
    return np.array(lived, dtype=np.int64)


def ours(rows: Rows, wishes: Rows, model: str, parts: int) -> list[int]:
    """The venue's moment of each wish's first fill, 0 for never; a lot has so many parts."""
    book, filled = ShadowBook(MODELS[model]), [0] * len(wishes)
    finer = rows * np.array([1, 1, 1, 1, parts, 1])
    told = ((row[1] - DELAY_NS, TELL, row) for row in finer.tolist())
    placed = ((w[0] + DELAY_NS, PLACE, [n, *w]) for n, w in enumerate(wishes.tolist()))
    ended = ((w[0] + DELAY_NS + REST_NS, CANCEL, [n]) for n, w in enumerate(wishes.tolist()))
    for at_ns, act, what in merge(told, placed, ended):
        matches = ()
        if act == TELL:
            kind, _, side, tick, lots, is_last = what
            if kind == DEPTH:
                (book.bids if side == BUY else book.asks).put(tick, lots)
                matches = book.crossed() if is_last else ()
            else:
                matches = book.public_trade(tick, lots, SIDES[side])
        elif act == PLACE:
            number, _, side, tick = what
            order = NewOrder(
                order_id=number + 1, owner="us", side=SIDES[side], tick=tick, lots=LOTS * parts,
                kind=Kind.LIMIT_MAKER,
            )  # fmt: skip
            book.submit(order)
        else:
            book.cancel(what[0] + 1)
        for match in matches:
            filled[match.maker_id - 1] = filled[match.maker_id - 1] or at_ns
    return filled


def main() -> None:
    if os.environ.get("BENCH_PEERS"):
        sys.path.append(os.environ["BENCH_PEERS"])
    from bench import peer_hftbacktest as peer

    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    rows = busy_hour(count, hours=count / COUNT)
    wishes = script(rows)
    for model, parts in product(MODELS, (1, 1_000)):
        mine = ours(rows, wishes, model, parts)
        theirs = peer.filled(rows, wishes, model, REST_NS, parts)
        print(f"{model}, a lot of {parts} parts: {compared(mine, theirs)}")
        pairs = zip(wishes.tolist(), mine, theirs, strict=True)
        for wish, a, b in [pair for pair in pairs if pair[1] != pair[2]][:SHOWN]:
            print(f"  {wish}: ours {a or 'never'}, hftbacktest {b or 'never'}")


def compared(mine: list[int], theirs: list[int]) -> str:
    both = list(zip(mine, theirs, strict=True))
    told = {
        "orders": len(both),
        "filled by ours": sum(a > 0 for a, _ in both),
        "filled by hftbacktest": sum(b > 0 for _, b in both),
        "at one moment or never in both": sum(a == b for a, b in both),
        "only by ours": sum(a > 0 and not b for a, b in both),
        "only by hftbacktest": sum(b > 0 and not a for a, b in both),
    }
    return ", ".join(f"{name} {number:,}" for name, number in told.items())


if __name__ == "__main__":
    main()
