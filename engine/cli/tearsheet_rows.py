"""A tear sheet's long tables: fills, what came after them, and everything over time."""

import msgspec

from engine.cli.tearsheet_cells import (
    Cell,
    Rows,
    Table,
    bps_of,
    drawn,
    mid_text,
    moment,
    money,
    rounded,
)
from engine.sim.execution import AtHorizon
from engine.sim.tearsheet import Sheet
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_S, decimal_text

# --- fills --------------------------------------------------------------------------------------


def markouts(sheets: list[Sheet]) -> Table:
    return Table(
        name="markouts",
        title="What came after our fills",
        columns=["market", "after_s", "fills", "not_yet", "effective", "realised", "impact",
                 "markout", "asset", "effective_bps", "realised_bps", "impact_bps",
                 "markout_bps"],
        rows=[_at(sheet.item, each) for sheet in sheets for each in sheet.horizons],
        note="Maker fills. Effective = 2D(price - mid), realised = 2D(price - mid later), impact = "
        "effective - realised, times size, where D is 1 if the aggressor bought and -1 if not: "
        "twice a distance, as a quoted spread is. Markout = minus impact: above 0 the mid went our "
        "way. Half of realised is what a fill was worth by then. Not yet: fills so near the end "
        "that their moment had not come; they are in no other number of the row. In bp of the "
        "money traded.",
    )  # fmt: skip


def _at(item: Instrument, row: AtHorizon) -> list[Cell]:
    sums = (row.effective_atoms, row.realised_atoms, row.impact_atoms, row.markout_atoms)
    return [
        item.market,
        rounded(row.horizon_ns / NS_PER_S),
        row.fills,
        row.unjudged,
        *(money(item, each) for each in sums),
        item.quote,
        *(bps_of(each, row.traded_atoms) for each in sums),
    ]


def fills(sheets: list[Sheet]) -> Table:
    horizons = [each.horizon_ns / NS_PER_S for each in sheets[0].horizons] if sheets else []
    rows: Rows = []
    for sheet in sheets:
        item = sheet.item
        exponents = {item.base: item.base_exponent, item.quote: item.quote_exponent}
        for each in sheet.judged:
            fill = each.fill
            fee = decimal_text(fill.fee_atoms, exponents.get(fill.fee_asset, 8))
            rows.append([
                item.market, fill.at_ns, moment(fill.at_ns), str(fill.side),
                "made" if fill.is_maker else "took", item.price_text(fill.tick),
                item.size_text(fill.lots), fee, fill.fee_asset,
                mid_text(item, each.mid_half_ticks), money(item, each.effective_atoms),
                *(None if atoms is None else money(item, atoms) for atoms in each.markout_atoms),
            ])  # fmt: skip
    return Table(
        name="fills",
        title="Our fills",
        columns=["market", "at_ns", "at_utc", "side", "we", "price", "size", "fee", "fee_asset",
                 "mid", "effective", *(f"markout_{each:g}s" for each in horizons)],
        rows=rows,
        off_page=("at_ns", "fee", "fee_asset", "mid"),
        note="Effective and markouts in the quote asset, for the whole size; empty where the data "
        "end before.",
    )  # fmt: skip


# --- over time ----------------------------------------------------------------------------------


def over_time(sheets: list[Sheet]) -> Table:
    rows: Rows = []
    for sheet in sheets:
        for each in sheet.buckets:
            sums = (*msgspec.structs.astuple(each.parts), each.parts.total)
            at_ns = each.number * sheet.step_ns
            rows.append([sheet.item.market, at_ns, moment(at_ns), sheet.step_ns // NS_PER_S,
                         *(money(sheet.item, atoms) for atoms in sums)])  # fmt: skip
    names = sheets[0].parts.__struct_fields__ if sheets else ()
    return drawn("profit_over_time", "Parts of the profit by bucket of time",
                  ["market", "from_ns", "from_utc", "step_s", *names, "total"], rows)  # fmt: skip


def equity(sheets: list[Sheet]) -> Table:
    rows: Rows = [
        [s.item.market, p.at_ns, moment(p.at_ns), money(s.item, p.profit_atoms),
         s.item.size_text(p.position_lots), mid_text(s.item, p.mid_half_ticks)]
        for s in sheets
        for p in s.curve
    ]  # fmt: skip
    columns = ["market", "at_ns", "at_utc", "profit", "bought_less_sold", "mid"]
    return drawn("equity", "Profit so far, sampled", columns, rows)


def inventory(sheets: list[Sheet]) -> Table:
    rows: Rows = [
        [s.item.market, h.at_ns, moment(h.at_ns), s.item.size_text(h.position_lots),
         str(s.bands.zone(h.position_lots)) if s.bands else None]
        for s in sheets
        for h in s.held
    ]  # fmt: skip
    return drawn("inventory", "The whole inventory at each change",
                  ["market", "at_ns", "at_utc", "position", "zone"], rows)  # fmt: skip


def quotes(sheets: list[Sheet]) -> Table:
    rows: Rows = []
    for sheet in sheets:
        item, trail = sheet.item, sheet.trail
        for each in trail.quoted:
            bid, bid_size = _best(item, each.bids)
            ask, ask_size = _best(item, each.asks)
            mid = trail.mid(each.at_ns)
            rows.append([item.market, each.at_ns, moment(each.at_ns), bid, bid_size, ask, ask_size,
                         len(each.bids), len(each.asks), mid_text(item, mid)])  # fmt: skip
    return drawn("quotes", "Our quotes against the market",
                  ["market", "at_ns", "at_utc", "our_bid", "bid_size", "our_ask", "ask_size",
                   "bid_levels", "ask_levels", "mid"], rows)  # fmt: skip


def _best(item: Instrument, levels: list[tuple[int, int]]) -> tuple[Cell, Cell]:
    if not levels:
        return None, None
    return item.price_text(levels[0][0]), item.size_text(levels[0][1])
