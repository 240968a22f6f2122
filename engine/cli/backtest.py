"""`ballast backtest`: the engine of a config on recorded markets, against simulated fills."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from engine.cli import backtest_options as options
from engine.cli.backtest_data import data_of
from engine.cli.backtest_run import Ran, Wanted, check_flags, run_backtest
from engine.cli.progress import shown
from engine.cli.show import as_json, as_text
from engine.cli.tearsheet import obligations_of, sheets_of, with_parts, write_sheets
from engine.runtime.config import load_config
from engine.sim.tally import MarketTally
from engine.values.errors import UserError
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_S, Atoms, decimal_text


def backtest(
    config: Annotated[Path, typer.Argument(help="A config file, as in configs/.")],
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILES]", help="More files of --data.")
    ] = None,
    data: Annotated[
        list[Path] | None, typer.Option(help="Data directories, recordings or wire captures.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all chance in the run.")] = 0,
    queue: options.Queue = "power:1",
    latency: options.Ways = "5ms",
    feed: options.Feed = "5ms",
    fees: options.Fees = "",
    turnover: options.Turnover = "0",
    limits: options.Limits = "100/10s,200000/1d",
    balance: options.Balance = "",
    epoch: Annotated[int, typer.Option(help="Which session of a data directory.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Write fills, decisions and equity curve here, as JSON.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write a tear sheet here, as HTML.")] = None,
    tables: Annotated[
        Path | None, typer.Option(help="Write its tables into this directory, as CSV and JSON.")
    ] = None,
    obligation: Annotated[
        str, typer.Option(help="BPS,SIZE that ought to stand on both sides, for the tear sheet.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """Run CONFIG on recorded markets: same strategy, gate and orders as live, fills simulated."""
    paths = [*(data or []), *(more or [])]
    if not paths:
        raise UserError("--data: name what to run on")
    wanted = Wanted(
        seed=seed,
        queue=queue,
        latency=latency,
        feed=feed,
        fees=fees,
        turnover=turnover,
        limits=limits,
        balance=balance,
    )
    check_flags(wanted)  # a mistake in them must not cost the reading of the data
    loaded = load_config(config)
    found = msgspec.structs.replace(data_of(loaded, paths, epoch), shown=shown)
    obliged = obligations_of(obligation, found.instruments)
    ran = run_backtest(loaded, str(config), found, wanted)
    sheets = sheets_of(ran, loaded, obliged)
    answer = with_parts(summary(ran), sheets)
    if out is not None:
        _write(out, ran)
    write_sheets(ran, sheets, report, tables)
    if json:
        as_json(answer)
    else:
        as_text(*_lines(answer, ran.seconds))


def _write(path: Path, ran: Ran) -> None:
    whole = {"result": ran.result, "instruments": ran.instruments, "assumed": ran.assumed}
    try:
        path.write_bytes(msgspec.json.encode(whole))
    except OSError as error:
        raise UserError(f"--out {path}: cannot be written: {error.strerror}") from error


def summary(ran: Ran) -> dict[str, Any]:
    """The result for a script: amounts as decimal text in the quote asset.

    Equal runs give equal bytes: how long it took is for people only.
    """
    result = ran.result
    return {
        "facts": result.facts,
        "processed": result.processed,
        "decided": result.decided,
        "data_s": (result.ended_ns - result.began_ns) / NS_PER_S,
        "digest": result.digest,
        "markets": [_market(each, ran.instruments[name]) for name, each in result.markets.items()],
        "assumed": ran.assumed,
    }


def _market(tally: MarketTally, item: Instrument) -> dict[str, Any]:
    def money(atoms: Atoms) -> str:
        return decimal_text(atoms, item.quote_exponent)

    exponents = {item.base: item.base_exponent, item.quote: item.quote_exponent}
    return {
        "market": tally.market,
        "fills": len(tally.fills),
        "maker_fills": sum(fill.is_maker for fill in tally.fills),
        "decisions": len(tally.decisions),
        "placed": tally.placed,
        "cancelled": tally.cancelled,
        "refused": tally.refused,
        "profit": money(tally.profit_atoms),
        "drawdown": money(tally.drawdown_atoms),
        "spread_earned": money(tally.spread_atoms),
        "fees": {asset: decimal_text(a, exponents[asset]) for asset, a in tally.fees.items()},
        "turnover": money(tally.turnover_atoms),
        "bought_less_sold": item.size_text(tally.net_lots),
        "markouts": {
            f"{each.horizon_ns // NS_PER_S}s": {"bps": each.bps, "fills": each.fills}
            for each in tally.markouts
        },
        "curve_points": len(tally.curve),
    }


def _lines(answer: dict[str, Any], spent_s: float) -> list[str]:
    facts = answer["facts"]
    lines = [
        f"{facts:,} facts of {answer['data_s']:,.0f} s in {spent_s:.1f} s "
        f"({facts / max(spent_s, 1e-9):,.0f} a second), digest {answer['digest']}"
    ]
    for market in answer["markets"]:
        lines.append(f"{market['market']}")
        marks = ", ".join(
            f"{name} {mark['bps']:+.2f} bp"
            for name, mark in market["markouts"].items()
            if mark["fills"]
        )
        rows = {k: v for k, v in market.items() if k not in ("market", "markouts", "buckets")}
        lines += [f"  {name.replace('_', ' '):<17} {_plain(value)}" for name, value in rows.items()]
        lines.append(f"  {'markouts':<17} {marks}")
    lines.append("assumed")
    lines += [
        f"  {name.replace('_', ' '):<17} {value}" for name, value in answer["assumed"].items()
    ]
    return lines


def _plain(value: Any) -> str:
    """A list or a table in one line of words."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(each)}" for name, each in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return str(value)
