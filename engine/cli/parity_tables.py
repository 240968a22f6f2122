"""The tables of a parity report: totals, what explains the differences, fills, orders, latency."""

from collections import Counter
from collections.abc import Iterator

from engine.cli.parity_run import Sides
from engine.cli.tearsheet_cells import Cell, Rows, Table, moment, rounded, words
from engine.sim.parity_why import Pair, Row, Why
from engine.values.events import Fill
from engine.values.units import NS_PER_MS, NS_PER_S, Lot, Ns


def tables_of(sides: Sides) -> list[Table]:
    """In the order of the page."""
    return [_totals(sides), _why(sides), _latency(sides), _fills(sides), _orders(sides),
            _assumed(sides)]  # fmt: skip


def _totals(sides: Sides) -> Table:
    rows: Rows = []
    for market, item in sides.instruments.items():
        fills = [each for each in sides.rows if each.key[0] == market]
        tally = sides.free.result.markets.get(market)
        free = tally.fills if tally else []
        same, matched = sides.matched(market)
        orders = [each for each in sides.pairs if each.market == market]
        if not orders and not (tally and tally.placed):
            continue
        laid = sum(1 for each in orders if each.client_id in sides.simulated.orders)
        bought, sold = _side_lots(fills, free, 1), _side_lots(fills, free, -1)
        rows += [
            [market, "orders", len(orders), laid, tally.placed if tally else 0],
            [market, "fills", sum(1 for each in fills if each.real_lots),
             sum(1 for each in fills if each.simulated_lots), len(free)],
            [market, f"bought, {item.base}", *(item.size_text(lots) for lots in bought)],
            [market, f"sold, {item.base}", *(item.size_text(lots) for lots in sold)],
            [market, f"of it by the same trades, {item.base}", None, item.size_text(same),
             item.size_text(matched)],
        ]  # fmt: skip
    return Table(
        name="totals",
        title="Real and simulated",
        columns=["market", "what", "real", "same_orders", "own_back_test"],
        rows=rows,
        note="Same orders: the very orders of the session, laid into its market again at the "
        "moments at which they reached the venue. Own back-test: the session's config on its "
        "market, which decides anew, so that its orders soon are others.",
    )


def _side_lots(fills: list[Row], free: list[Fill], sign: int) -> tuple[Lot, Lot, Lot]:
    mine = [each for each in fills if each.side.sign == sign]
    return (
        sum(each.real_lots for each in mine),
        sum(each.simulated_lots for each in mine),
        sum(fill.lots for fill in free if fill.side.sign == sign),
    )


def _why(sides: Sides) -> Table:
    """What stands between the two, by fills and by the lots that differ."""
    rows: Rows = []
    for market, item in sides.instruments.items():
        mine = [each for each in sides.rows if each.key[0] == market]
        for why in Why:
            those = [each for each in mine if each.why is why]
            differ = sum(abs(each.real_lots - each.simulated_lots) for each in those)
            if those:
                rows.append([market, "same orders", str(why), len(those), item.size_text(differ)])
        stances = Counter(s for key, s in sides.free_stances.items() if key[0] == market)
        rows += [[market, "own back-test", str(s), n, None] for s, n in stances.most_common()]
    return Table(
        name="why",
        title="What explains each difference",
        columns=["market", "beside_reality", "explanation", "trades", "size_that_differs"],
        rows=rows,
        note="A level's total says nothing of the order within it: strangers who cancel in front "
        "of us and come back behind us, between two messages or for the same total, leave no "
        "trace, and a model then has lots in front that are not there.",
    )


def _latency(sides: Sides) -> Table:
    real = sides.lived
    rows: Rows = [
        _spread("an order there and its answer back, on our clock", real.answers_ns()),
        _spread("a fill, from the venue's clock to ours", real.fills_ns()),
        _spread("a public trade, from the venue's clock to ours", real.trades_ns()),
    ]
    return Table(
        name="latency",
        title="Latency",
        columns=["what", "count", "median_ms", "p90_ms", "p99_ms", "longest_ms"],
        rows=rows,
        note="From one clock to another means with the difference of the two in it, and with the "
        "venue's rounding of its stamps.",
    )


def _spread(name: str, values: list[Ns]) -> list[Cell]:
    def at(share: float) -> Cell:
        place = min(len(values) - 1, int(share * len(values)))
        return rounded(values[place] / NS_PER_MS) if values else None

    return [name, len(values), at(0.5), at(0.9), at(0.99), at(1.0)]


def _fills(sides: Sides) -> Table:
    rows: Rows = []
    for each in sides.rows:
        market, number = each.key
        item = sides.instruments[market]
        front = None if each.front_lots is None else item.size_text(each.front_lots)
        rows.append([
            market, number if number >= 0 else None, each.venue_ns, moment(each.venue_ns),
            str(each.side), item.price_text(each.tick), each.client_id,
            item.size_text(each.trade_lots), item.size_text(each.real_lots),
            item.size_text(each.simulated_lots), front, str(each.why),
            item.size_text(sides.free_lots[each.key]),
            str(sides.free_stances.get(each.key, "")) or None,
        ])  # fmt: skip
    return Table(
        name="parity_fills",
        title="Fill by fill",
        columns=["market", "trade", "venue_ns", "at_utc", "side", "price", "order", "trade_size",
                 "real", "same_orders", "queue_estimate", "why", "own_back_test",
                 "own_back_test_why"],
        rows=rows,
        off_page=("trade", "venue_ns"),
        on_page=300,
        note="Queue estimate: the size that the model had in front of the order just before the "
        "trade. Where the trade really filled it nothing was in front: the estimate is its error.",
    )  # fmt: skip


def _orders(sides: Sides) -> Table:
    rows: Rows = [_order(sides, each) for each in sides.pairs]
    return Table(
        name="parity_orders",
        title="Order by order",
        columns=["market", "order", "side", "price", "size", "joined_behind", "answer_ms", "real",
                 "same_orders", "first_fill_later_s"],
        rows=rows,
        on_page=0,
        note="First fill later: of the simulation, against reality.",
    )  # fmt: skip


def _order(sides: Sides, each: Pair) -> list[Cell]:
    item = sides.instruments[each.market]
    both = each.real_first_ns and each.simulated_first_ns
    later_ns = each.simulated_first_ns - each.real_first_ns if both else None
    return [
        each.market,
        each.client_id,
        str(each.side),
        item.price_text(each.tick),
        item.size_text(each.lots),
        item.size_text(each.joined_lots),
        rounded(each.answer_ns / NS_PER_MS) if each.answer_ns else None,
        item.size_text(each.real_lots),
        item.size_text(each.simulated_lots),
        None if later_ns is None else rounded(later_ns / NS_PER_S),
    ]


def _assumed(sides: Sides) -> Table:
    clock = "the venue's own stamps" if sides.by_venue_clock else "half of each way there and back"
    told = {
        "session": sides.epoch,
        "when an order reached the venue": clock,
        "way of the back-test": f"{sides.way_ns / NS_PER_MS:g} ms, half of the middle answer",
        **{name.replace("_", " "): value for name, value in sides.free.assumed.items()},
    }
    rows: Rows = [[name, words(name, value)] for name, value in told.items()]
    return Table(name="assumed", title="What was assumed", columns=["what", "value"], rows=rows)


def unexplained(sides: Sides) -> Iterator[Row]:
    """Differences for which no reason was found."""
    return (row for row in sides.rows if row.why is Why.OTHER)
