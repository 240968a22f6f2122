"""`ballast study as2008` and `study glft`: models in print, run again beside what was printed."""

import math
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import typer

from engine.cli.show import as_json
from engine.cli.study_calibrate import Fitted, fitted
from engine.sim.as2008 import Array, Market, Row, simulated, symmetric_exact
from engine.values.errors import UserError
from strategies.avellaneda_stoikov import reservation_price, total_spread
from strategies.glft import GlftModel

PATHS_MAX = 1_000_000
INVENTORY_MAX = 1_000
GAMMA, GAMMA_MIN, GAMMA_MAX = 0.01, 1e-6, 1e3
INVENTORY, SYMMETRIC = "inventory", "symmetric"
PUBLISHED = {
    0.1: {
        INVENTORY: Row(spread=1.49, profit=65.0, profit_std=6.6, final_q=0.08, final_q_std=2.9),
        SYMMETRIC: Row(spread=1.49, profit=68.4, profit_std=12.7, final_q=0.26, final_q_std=8.4),
    }
}
"""The paper's table 1 for the gamma whose numbers reproduce."""
COLUMNS = ("spread", "profit", "profit_std", "final_q", "final_q_std")

Json = Annotated[bool, typer.Option("--json", help="One object on the last line.")]


def as2008(
    gamma: Annotated[float, typer.Option(help="Aversion to risk, 1/price.")] = 0.1,
    paths: Annotated[int, typer.Option(help="Simulated days.")] = 1_000,
    seed: Annotated[int, typer.Option(min=0, help="Of the paths.")] = 1,
    json: Json = False,
) -> None:
    """Run the simulation of Avellaneda and Stoikov (2008), section 3.3, beside its table."""
    if not GAMMA_MIN <= gamma <= GAMMA_MAX or not 2 <= paths <= PATHS_MAX:
        wanted = f"{GAMMA_MIN:g} to {GAMMA_MAX:g}"
        raise UserError(f"--gamma must be {wanted}, and --paths 2 to {PATHS_MAX}")
    market = Market()

    def leaning(q: Array, left: float) -> tuple[Array, float]:
        variance_left = market.sigma**2 * left
        shift = np.array([reservation_price(0.0, one, gamma, variance_left) for one in q])
        return shift, total_spread(gamma, market.k, variance_left)

    ours = simulated(market, leaning, paths, seed)
    even = simulated(market, lambda q, left: (np.zeros_like(q), ours.spread), paths, seed)
    rows = {
        INVENTORY: ours,
        SYMMETRIC: even,
        f"{SYMMETRIC}, exact": symmetric_exact(market, ours.spread),
    }
    printed = PUBLISHED.get(gamma, {})
    if json:
        as_json({"gamma": gamma, "paths": paths, "seed": seed, "ours": rows, "paper": printed})
        return
    typer.echo(f"gamma {gamma:g}, {paths} paths, seed {seed}: mean spread, profit, final inventory")
    typer.echo(f"  {'':<22}" + "".join(f"{name.replace('_', ' '):>12}" for name in COLUMNS))
    for name, row in rows.items():
        typer.echo(_line(name, row))
        if name in printed:
            typer.echo(_line("  the paper", printed[name]))


def glft(
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILES]", help="More files of --data.")
    ] = None,
    data: Annotated[
        list[Path] | None, typer.Option(help="Recordings to find sigma, a and k from, in ticks.")
    ] = None,
    market: Annotated[str, typer.Option(help="Of --data; else all of them.")] = "",
    gamma: Annotated[
        float | None,
        typer.Option(help="Aversion to risk, 1/price; 0.01, or a tenth of the k of --data."),
    ] = None,
    sigma: Annotated[float, typer.Option(help="Price per square root of time.")] = 0.3,
    a: Annotated[float, typer.Option("--a", help="Fills per time at distance 0.")] = 0.9,
    k: Annotated[float, typer.Option("--k", help="How fast they grow rare, 1/price.")] = 0.3,
    inventory: Annotated[int, typer.Option(help="Shown from minus this to this.")] = 5,
    bound: Annotated[int, typer.Option(help="Of the exact solution's inventory.")] = 30,
    json: Json = False,
) -> None:
    """Print the closed form of Gueant, Lehalle and Tapia (2013) beside the exact solution.

    With --data its numbers are found in recorded markets first, by the tick and the second.
    """
    paths = [*(data or []), *(more or [])]
    numbers = [sigma, a, k, *([] if gamma is None else [gamma])]
    is_known = all(math.isfinite(number) and number > 0 for number in numbers)
    if not is_known or not 0 <= inventory < bound <= INVENTORY_MAX:
        raise UserError(
            "gamma, sigma, a and k must be above 0; inventory below bound, at most 1000"
        )
    if market and not paths:
        raise UserError("--market is one of --data")
    found = fitted(paths, market) if paths else []
    asked = GlftModel(sigma=sigma, a=a, k=k, gamma=gamma or GAMMA)
    tables = [_table(each.model(gamma), inventory, bound) for each in found]
    tables = tables or [_table(asked, inventory, bound)]
    if json:
        answers = [each.as_answer(gamma) for each in found]
        told = [{**each, **table} for each, table in zip(answers, tables, strict=False)]
        as_json({"markets": told} if found else tables[0])
        return
    heads = [_fit_lines(each, gamma) for each in found] or [[]]
    for head, table in zip(heads, tables, strict=True):
        typer.echo("\n".join([*head, *_table_lines(table)]))


def _line(name: str, row: Row) -> str:
    values = msgspec.structs.asdict(row)
    return f"  {name:<22}" + "".join(f"{values[column]:>12.4f}" for column in COLUMNS)


def _table(model: GlftModel, inventory: int, bound: int) -> dict[str, Any]:
    """Both solutions for each inventory. Raises UserError where numbers leave what floats hold."""
    try:
        exact = model.exact(bound)
        rows = [
            {"q": q, "closed": model.closed(q), "exact": exact[bound + q]}
            for q in range(-inventory, inventory + 1)
        ]
        return {"base": model.base, "slope": model.slope, "rows": rows}
    except (OverflowError, ValueError, np.linalg.LinAlgError) as error:
        raise UserError(f"gamma, sigma, a and k are too far from each other: {error}") from error


def _table_lines(table: dict[str, Any]) -> list[str]:
    return [
        f"base {table['base']:.8f}, slope {table['slope']:.8f} a unit of inventory",
        f"  {'q':>4}{'bid closed':>14}{'exact':>12}{'ask closed':>14}{'exact':>12}",
        *map(_distances, table["rows"]),
    ]


def _fit_lines(each: Fitted, gamma: float | None) -> list[str]:
    found = each.found
    lines = [
        f"{each.market}, a tick is {each.tick}: {found.orders:,} market orders in "
        f"{found.seconds:,.0f} s at {found.distances} distances, R squared {found.fit:.3f}"
    ]
    for strategy, params in each.params(gamma).items():
        told = ", ".join(f"{name} = {value:g}" for name, value in params.items())
        lines.append(f"  {strategy}: {told}")
    return lines


def _distances(row: dict[str, Any]) -> str:
    (bid, ask), (bid_exact, ask_exact) = row["closed"], row["exact"]
    return f"  {row['q']:>4}{bid:>14.6f}{bid_exact:>12.6f}{ask:>14.6f}{ask_exact:>12.6f}"
