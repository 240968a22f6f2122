"""`ballast treasury calibrate`: do the bands fit what the journal shows and what is owed?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from engine.cli.show import as_json, as_text
from engine.cli.treasury_books import Flags, Rebuilt, rebuilt, wanted_of
from engine.cli.treasury_world import told_by, world_of
from engine.treasury.calibration import (
    CalibrationParams,
    DayEnd,
    Floating,
    Verdict,
    calibrate,
    day_ends,
)
from engine.treasury.depth import rescaled
from engine.treasury.facts import Facts
from engine.treasury.obligations import due_within, owed_atoms
from engine.treasury.params import FloatParams
from engine.values.errors import UserError
from engine.values.units import scaled

NO_FLAGS = Flags(money="", method=None, lots=None, prices=None, price_age_s=0)

File = Annotated[Path, typer.Argument(help="A treasury file, as configs/treasury.toml.")]
Place = Annotated[Path, typer.Argument(help="A data directory, a journal or a config (.toml).")]
FactsFiles = Annotated[
    list[Path] | None, typer.Option("--facts", help="Volumes of 24 h, as JSON; repeatable.")
]
Json = Annotated[bool, typer.Option("--json", help="One object on the last line.")]


def calibrate_verb(file: File, place: Place, facts: FactsFiles = None, json: Json = False) -> None:
    """Hold the bands of FILE against the daily history in PLACE. Exit code 1 where one is off."""
    world = world_of(file, told_by(facts or [], None, file))
    if world.file.rebalance is None:
        raise UserError(f"{file}: rebalance: missing; its calibration says what a band must bear")
    params = world.file.rebalance.calibration
    made = rebuilt(wanted_of(place, file, NO_FLAGS))
    found = [
        calibrate(floating(world.facts, asset, row, made, params), params)
        for asset, bucket in world.facts.scheme.buckets.items()
        for row in bucket.float
    ]
    if json:
        as_json({"ok": not _off(found), "file": str(file), "floats": [_row(v) for v in found]})
    else:
        as_text(*_lines(found))
    raise typer.Exit(1 if _off(found) else 0)


def floating(
    facts: Facts, asset: str, row: FloatParams, made: Rebuilt, params: CalibrationParams
) -> Floating:
    exponent = facts.scheme.asset(asset).exponent
    ends = day_ends(made.entries, row.venue, asset)
    was = made.measures.exponent(asset)
    history = [
        DayEnd(
            day=end.day,
            held_atoms=rescaled(end.held_atoms, was, exponent),
            rebalanced_atoms=rescaled(end.rebalanced_atoms, was, exponent),
        )
        for end in ends
    ]
    return Floating(
        name=f"{asset} at {row.venue}",
        target_atoms=scaled(row.target, exponent),
        lower_ppm=row.lower_ppm,
        upper_ppm=row.upper_ppm,
        history=tuple(history),
        payout_atoms=owed_atoms(due_within(facts, params.payout_days), asset),
        day_volume_atoms=facts.volume(row.venue, asset),
    )


def _off(found: list[Verdict]) -> bool:
    return any(
        verdict.conflict or fit.value not in ("fits", "not known")
        for verdict in found
        for fit in (verdict.lower, verdict.upper)
    )


def _row(verdict: Verdict) -> dict[str, Any]:
    return msgspec.structs.asdict(verdict)


def _lines(found: list[Verdict]) -> Iterator[str]:
    for each in found:
        yield f"{each.name}: lower band {each.lower}, upper band {each.upper}"
        usual = "not known (a week of days is the least)"
        if each.usual_ppm is not None:
            usual = f"{each.usual_ppm / 10_000:.1f} % of the target in a usual day"
        yield f"  volatility: {usual}; {each.days} days"
        yield f"  payouts: {each.payout_ppm / 10_000:.1f} % of the target"
        room = "not known" if each.liquidity_ppm is None else f"{each.liquidity_ppm / 10_000:.1f} %"
        yield f"  a day's sale at our share of the volume: {room}"
        yield (
            f"  suggested {each.suggested_lower_ppm / 10_000:.1f} to "
            f"{each.suggested_upper_ppm / 10_000:.1f} %: outside them on "
            f"{each.suggested_breaches} of {each.days} days, outside those in force on "
            f"{each.breaches}"
        )
        if each.conflict:
            yield f"  CONFLICT: {each.conflict}"
