"""`ballast compare`: two back-tests side by side, and whether their difference could be chance."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from engine.cli.compare_runs import Run, Series, read_run
from engine.cli.show import as_json, as_text
from engine.sim.backtest import NOT_MODELLED
from engine.sim.bootstrap import BUCKETS_MIN, Params, block_mean, intervals
from engine.sim.profit_parts import PARTS
from engine.values.errors import UserError

TOTAL = "total"
DIGITS = 6
SAMPLES_MAX = 100_000


def compare(
    a: Annotated[Path, typer.Argument(help="Of one run: --tables' directory, or --json's output.")],
    b: Annotated[Path, typer.Argument(help="Of the other; differences are B less A.")],
    seed: Annotated[int, typer.Option(help="Of the resampling.")] = 0,
    samples: Annotated[int, typer.Option(help="How often to resample.")] = 2_000,
    confidence: Annotated[float, typer.Option(help="Of the intervals.")] = 0.95,
    block: Annotated[
        float, typer.Option(help="Mean steps of a block; 0 takes the cube root of all.")
    ] = 0.0,
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """Put two back-tests side by side, with a bootstrap interval on the difference."""
    wanted = _params(seed, samples, confidence, block)
    answer = compared(read_run(a), read_run(b), wanted)
    if json:
        as_json(answer)
    else:
        as_text(*_lines(answer))


def _params(seed: int, samples: int, confidence: float, block: float) -> Params:
    if seed < 0:
        raise UserError(f"--seed {seed} is below 0")
    if not 1 <= samples <= SAMPLES_MAX:
        raise UserError(f"--samples {samples} is not between 1 and {SAMPLES_MAX}")
    if not 0 < confidence < 1:
        raise UserError(f"--confidence {confidence:g} is not between 0 and 1")
    if block and block < 1:
        raise UserError(f"--block {block:g} is less than one step")
    return Params(seed=seed, samples=samples, confidence=confidence, block_mean=block or None)


def compared(a: Run, b: Run, wanted: Params) -> dict[str, Any]:
    """Every market that both runs traded; B less A. Raises UserError where there is none."""
    shared = [market for market in a.markets if market in b.markets]
    if not shared:
        raise UserError(f"{a.name} and {b.name} have no market in common")
    markets = [_market(name, a.markets[name], b.markets[name], wanted) for name in shared]
    return {
        "a": a.name,
        "b": b.name,
        "seed": wanted.seed,
        "samples": wanted.samples,
        "confidence": wanted.confidence,
        "markets": markets,
        "assumed": [
            {"what": name, "a": a.assumed.get(name), "b": b.assumed.get(name)}
            for name in dict.fromkeys([*a.assumed, *b.assumed])
            if a.assumed.get(name) != b.assumed.get(name)
        ],
        "notes": [note for market in markets for note in market["notes"]] + _notes(a, b),
    }


def _notes(a: Run, b: Run) -> list[str]:
    notes = []
    if a.assumed.get("data hash") != b.assumed.get("data hash"):
        notes.append("the two runs are not of the same data")
    if alone := sorted(a.markets.keys() ^ b.markets.keys()):
        notes.append(f"in one of the runs only: {', '.join(alone)}")
    return notes


def _market(name: str, a: Series, b: Series, wanted: Params) -> dict[str, Any]:
    """The steps that both runs have, pair by pair: what moved both is in no difference."""
    if a.quote != b.quote:
        raise UserError(f"{name}: one run is in {a.quote}, the other in {b.quote}")
    step_s = max(a.step_s, b.step_s)
    if step_s % min(a.step_s, b.step_s):
        raise UserError(f"{name}: steps of {a.step_s} s and {b.step_s} s do not fit together")
    first, second = (each.coarser(step_s).buckets for each in (a, b))
    both = sorted(first.keys() & second.keys())
    if not both:
        raise UserError(f"{name}: the two runs have no moment in common")
    pairs = {
        part: [(_part(first[number], part), _part(second[number], part)) for number in both]
        for part in (*PARTS, TOTAL)
    }
    moved = {part: [float(y - x) for x, y in rows] for part, rows in pairs.items()}
    found = intervals(moved, wanted) or {}
    left_out = len(first) + len(second) - 2 * len(both)
    return {
        "market": name,
        "quote": a.quote,
        "step_s": step_s,
        "steps": len(both),
        "block_mean": block_mean(wanted, len(both)),
        "parts": [_row(part, rows, found.get(part)) for part, rows in pairs.items()],
        "measures": [
            {"measure": each, "a": _text(a.measures[each]), "b": _text(b.measures[each]),
             "difference": _text(b.measures[each] - a.measures[each])}
            for each in a.measures
            if each in b.measures
        ],
        "notes": list(_gaps(name, left_out, len(both))),
    }  # fmt: skip


def _gaps(name: str, left_out: int, steps: int) -> list[str]:
    notes = []
    if left_out:
        notes.append(f"{name}: {left_out} steps that only one of the runs has are left out")
    if steps < BUCKETS_MIN:
        notes.append(f"{name}: no interval from {steps} steps, it takes {BUCKETS_MIN}")
    return notes


def _part(parts: dict[str, Decimal], name: str) -> Decimal:
    return sum(parts.values(), Decimal()) if name == TOTAL else parts[name]


def _row(part: str, rows: list[tuple[Decimal, Decimal]], found: Any) -> dict[str, Any]:
    first, second = (sum((row[side] for row in rows), Decimal()) for side in (0, 1))
    low, high = (None, None) if found is None else msgspec.structs.astuple(found)
    return {
        "part": part.replace("_", " "),
        "a": _text(first),
        "b": _text(second),
        "difference": _text(second - first),
        "low": _rounded(low),
        "high": _rounded(high),
        "has_zero": None if found is None else found.has_zero,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")


def _text(value: Decimal) -> str:
    """Without an exponent and without zeros that say nothing."""
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def _lines(answer: dict[str, Any]) -> list[str]:
    lines = [f"A {answer['a']}", f"B {answer['b']}"]
    for market in answer["markets"]:
        steps = f"{market['steps']} steps of {market['step_s']} s"
        lines += [
            "",
            f"{market['market']}, {steps}, {market['quote']}",
            f"{'':<22} {'A':>16} {'B':>16} {'B - A':>16}  interval {answer['confidence']:.0%}",
        ]
        lines += [f"{_side_by_side(row, 'part')}  {_interval(row)}" for row in market["parts"]]
        lines += [_side_by_side(row, "measure") for row in market["measures"]]
    if answer["assumed"]:
        lines += ["", "assumed otherwise"]
        lines += [f"  {row['what']}: {row['a']} | {row['b']}" for row in answer["assumed"]]
    return [*lines, *(f"note: {note}" for note in answer["notes"]), NOT_MODELLED]


def _side_by_side(row: dict[str, Any], name: str) -> str:
    return f"{row[name]:<22} {row['a']:>16} {row['b']:>16} {row['difference']:>16}"


def _interval(row: dict[str, Any]) -> str:
    if row["low"] is None:
        return ""
    if row["low"] == row["high"] == 0:
        return "always 0"
    chance = "could be chance" if row["has_zero"] else "more than chance"
    return f"{row['low']:g} to {row['high']:g}, {chance}"
