"""A tear sheet's tables: what came of a back-test and what it rests on, in the page's order."""

from collections.abc import Iterator

import msgspec

from engine.cli.backtest_run import Ran
from engine.cli.tearsheet_cells import Cell, Rows, Table, bps_of, money, rounded, words
from engine.cli.tearsheet_rows import equity, fills, inventory, markouts, over_time, quotes
from engine.sim.tearsheet import ANNUAL_STEPS_MIN, Sheet
from engine.values.units import NS_PER_S, Ns


def tables_of(ran: Ran, sheets: list[Sheet]) -> list[Table]:
    """In the order of the page."""
    return [
        _profit(sheets),
        _summary(sheets),
        markouts(sheets),
        _inventory_bands(sheets),
        quotes(sheets),
        fills(sheets),
        _assumed(ran),
        over_time(sheets),
        equity(sheets),
        inventory(sheets),
    ]


# --- what came of it ----------------------------------------------------------------------------


def _profit(sheets: list[Sheet]) -> Table:
    rows: Rows = []
    for sheet in sheets:
        traded = sheet.activity.turnover_atoms
        parts = {**msgspec.structs.asdict(sheet.parts), "total": sheet.parts.total}
        rows += [
            [sheet.item.market, name.replace("_", " "), money(sheet.item, atoms), sheet.item.quote,
             bps_of(atoms, traded)]
            for name, atoms in parts.items()
        ]  # fmt: skip
    return Table(
        name="profit",
        title="Where the profit came from",
        columns=["market", "part", "amount", "asset", "bps_of_turnover"],
        rows=rows,
        note="The parts add up to the total to the last digit. Spread: our price against the mid "
        "of its moment, of fills that made and of fills that took. Inventory: what was bought less "
        "what was sold, carried through the moves of the mid; the opening balance is not in it. "
        "Fees paid in the token are valued at the mid of their fill, fees in a third asset not at "
        "all. Funding: none, the market is spot.",
    )


def _summary(sheets: list[Sheet]) -> Table:
    rows: Rows = [
        [sheet.item.market, *row] for sheet in sheets for row in [*_earned(sheet), *_stood(sheet)]
    ]
    return Table(
        name="summary",
        title="In numbers",
        columns=["market", "measure", "value", "unit", "meaning"],
        rows=rows,
    )


def _earned(sheet: Sheet) -> Iterator[list[Cell]]:
    item, fall, moments, did = sheet.item, sheet.drawdown, sheet.moments, sheet.activity
    step = f"{sheet.step_ns // NS_PER_S} s"
    yield ["profit", money(item, sheet.parts.total), item.quote, "after fees, at the last mid"]
    yield ["turnover", money(item, did.turnover_atoms), item.quote, "both sides"]
    yield ["turnover a day", money(item, did.turnover_per_day_atoms), item.quote, "at this pace"]
    yield ["drawdown", money(item, fall.depth_atoms), item.quote,
           "deepest fall of the sampled profit from its high"]  # fmt: skip
    ended = "until it was made up" if fall.has_recovered else "not made up by the end"
    yield ["drawdown length", rounded(fall.length_ns / NS_PER_S), "s", ended]
    yield ["longest below a high", rounded(fall.longest_ns / NS_PER_S), "s", "of any fall"]
    yield ["sharpe of a step", rounded(moments.sharpe if moments else None), "",
           f"mean over standard deviation of the profits of whole steps of {step}"]  # fmt: skip
    yield ["its standard error", rounded(moments.sharpe_error if moments else None), "",
           "by Mertens (2002), as if steps did not depend on each other"]  # fmt: skip
    yield ["steps", moments.steps if moments else None, "", f"whole steps of {step}"]
    yield ["sharpe of a year", rounded(sheet.sharpe_annual), "",
           f"times the root of a year's steps; none from under {ANNUAL_STEPS_MIN}"]  # fmt: skip
    yield ["fills", did.fills, "", f"{did.maker_fills} made, {did.fills - did.maker_fills} took"]
    yield ["orders to fills", rounded(did.orders_to_fills), "",
           f"{did.orders} orders sent, amendments among them; {did.refused} refused"]  # fmt: skip
    yield ["messages to fills", rounded(did.messages_to_fills), "",
           f"orders and the {did.cancelled} that were cancelled"]  # fmt: skip


def _stood(sheet: Sheet) -> Iterator[list[Cell]]:
    """Shares are of the time in which the market's best prices were known."""
    told, item = sheet.quoting, sheet.item

    def share(part_ns: Ns) -> Cell:
        return rounded(told.share(part_ns))

    yield ["time looked at", rounded(told.known_ns / NS_PER_S), "s", "best prices were known"]
    yield ["bid stood", share(told.bid_ns), "of the time", ""]
    yield ["ask stood", share(told.ask_ns), "of the time", ""]
    yield ["both stood", share(told.both_ns), "of the time", ""]
    yield ["bid at the touch", share(told.bid_touch_ns), "of the time", "the best or better"]
    yield ["ask at the touch", share(told.ask_touch_ns), "of the time", "the best or better"]
    yield ["both at the touch", share(told.both_touch_ns), "of the time", ""]
    yield ["own spread", rounded(told.spread_bps), "bp", "mean over the time that both stood"]
    duty = sheet.obligation
    if duty is None or told.obliged_ns is None:
        yield ["obligation met", None, "of the time", "none was named: --obligation BPS,SIZE"]
        return
    yield ["obligation met", share(told.obliged_ns), "of the time",
           f"{item.size_text(duty.lots_min)} {item.base} or more on both sides within "
           f"{duty.distance_bps} bp of the mid"]  # fmt: skip


def _inventory_bands(sheets: list[Sheet]) -> Table:
    rows: Rows = []
    for sheet in sheets:
        whole_ns = sum(sheet.zones.values())
        rows += [
            [sheet.item.market, str(zone), rounded(ns / NS_PER_S),
             rounded(ns / whole_ns) if whole_ns else None]
            for zone, ns in sheet.zones.items()
        ]  # fmt: skip
    return Table(
        name="bands",
        title="The inventory against its bands",
        columns=["market", "zone", "seconds", "share_of_time"],
        rows=rows,
    )


# --- what it rests on ---------------------------------------------------------------------------


def _assumed(ran: Ran) -> Table:
    rows: Rows = [[name.replace("_", " "), words(name, v)] for name, v in ran.assumed.items()]
    rows.append(["decisions digest", ran.result.digest])
    return Table(name="assumed", title="What was assumed", columns=["what", "value"], rows=rows)
