"""A review as one answer for scripts, and as lines for people. Money stays whole atoms in both."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from engine.cli.review_runs import Replayed
from engine.sim import counterfactual
from engine.sim.counterfactual import RowScore, Way
from engine.sim.epochs import Epoch, Markout, Outcome
from engine.sim.outcomes import Reviewed
from engine.sim.overrides import NS_PER_DAY, Override, by_day, by_row
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_S, Atoms, Ns, decimal_text

SUMMED = (
    "decisions", "fills", "maker_fills", "bought_lots", "sold_lots", "turnover_atoms",
    "spread_atoms", "profit_atoms", "trading_atoms", "carried_atoms", "realised_atoms",
)  # fmt: skip
"""Figures of an outcome that add up over epochs."""
NO_TICKS = "ticks x lots"


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """A reviewed journal, the part of it that is told, and what was lived again."""

    reviewed: Reviewed
    known: dict[str, Instrument]
    recorded: list[int]
    since_ns: Ns
    replays: list[Replayed]

    def epochs(self, market: str = "") -> list[Epoch]:
        return [
            epoch
            for epoch in self.reviewed.epochs
            if epoch.ended_ns >= self.since_ns and market in ("", epoch.market)
        ]

    def overrides(self) -> list[Override]:
        return [each for each in self.reviewed.overrides if each.at_ns >= self.since_ns]

    def row_scores(self, market: str) -> list[RowScore]:
        found = [s for replay in self.replays for s in replay.scores if s.market == market]
        return counterfactual.by_row(found)


def answer_of(scope: Scope) -> dict[str, Any]:
    """Everything but the notes and the draft."""
    reviewed, overrides = scope.reviewed, scope.overrides()
    sessions = [span for span in reviewed.sessions if span.ended_ns >= scope.since_ns]
    replayed = {replay.epoch for replay in scope.replays if replay.runs}
    return {
        "since_ns": scope.since_ns,
        "sessions": [
            msgspec.to_builtins(span)
            | {"recorded": span.epoch in scope.recorded, "replayed": span.epoch in replayed}
            for span in sessions
        ],
        "markets": [_market(scope, market) for market in reviewed.instruments],
        "rating_changes": [
            msgspec.to_builtins(change)
            for change in reviewed.changes
            if change.at_ns >= scope.since_ns
        ],
        "overrides": {
            "count": len(overrides),
            "by_day": {day_text(day): count for day, count in by_day(overrides).items()},
            "by_row": {
                market: rows
                for market in reviewed.instruments
                if (rows := by_row(overrides, market))
            },
            "words": [msgspec.to_builtins(each) for each in overrides],
        },
    }


def day_text(day: int) -> str:
    return f"{datetime.fromtimestamp(day * NS_PER_DAY / NS_PER_S, UTC):%Y-%m-%d}"


def totals_of(epochs: Iterable[Epoch]) -> dict[str, Any]:
    """The sums over epochs of one market, with fees by asset, markouts and hedges."""
    told = [epoch.outcome for epoch in epochs]
    sums: dict[str, Any] = {name: sum(getattr(each, name) for each in told) for name in SUMMED}
    fees: dict[str, Atoms] = {}
    for each in told:
        for asset, atoms in each.fees.items():
            fees[asset] = fees.get(asset, 0) + atoms
    slippage: dict[str, Atoms] = {}
    for each in told:
        for market, half in each.hedged.slippage_half.items():
            slippage[market] = slippage.get(market, 0) + half
    return sums | {
        "fees": fees,
        "markouts": [_markout(each) for each in _markouts(told)],
        "hedge_fills": sum(each.hedged.fills for each in told),
        "slippage_atoms": {market: half // 2 for market, half in slippage.items()},
        "position_low": _end(min, (each.position_low for each in told)),
        "position_high": _end(max, (each.position_high for each in told)),
        "worst_lots": _end(max, (each.worst_lots for each in told)),
    }


def _end(choose: Any, values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    found: int | None = choose(known) if known else None
    return found


def _markouts(told: list[Outcome]) -> list[Markout]:
    sums: dict[Ns, Markout] = {}
    for outcome in told:
        for each in outcome.markouts:
            whole = sums.setdefault(each.horizon_ns, Markout(horizon_ns=each.horizon_ns))
            whole.fills += each.fills
            whole.half_atoms += each.half_atoms
            whole.traded_atoms += each.traded_atoms
    return list(sums.values())


def _markout(each: Markout) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(each)
    bps = 10_000 * each.atoms / each.traded_atoms if each.traded_atoms else None
    return told | {"atoms": each.atoms, "bps": bps}


def _epoch(epoch: Epoch) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(epoch)
    outcome = told["outcome"]
    outcome["markouts"] = [_markout(each) for each in epoch.outcome.markouts]
    return told


def _market(scope: Scope, market: str) -> dict[str, Any]:
    item, epochs = scope.reviewed.instruments[market], scope.epochs(market)
    rows = list(dict.fromkeys(epoch.row for epoch in epochs))
    scored = {score.row: score for score in scope.row_scores(market)}
    return {
        "market": market,
        "unit": f"atoms of {item.quote}" if market in scope.known else NO_TICKS,
        "exponent": item.quote_exponent if market in scope.known else None,
        "tick_lot_atoms": item.tick_lot_atoms,
        "totals": totals_of(epochs),
        "rows": [_row(epochs, row, scored.get(row)) for row in rows],
        "epochs": [_epoch(epoch) for epoch in epochs],
        "lived_again": [_lived(scope, replay, market) for replay in _replays(scope, market)],
    }


def _row(epochs: list[Epoch], row: str, score: RowScore | None) -> dict[str, Any]:
    mine = [epoch for epoch in epochs if epoch.row == row]
    return {
        "row": row,
        "epochs": len(mine),
        "seconds": sum(epoch.ended_ns - epoch.began_ns for epoch in mine) / NS_PER_S,
        "conflicts": sum(epoch.conflict for epoch in mine),
        "totals": totals_of(mine),
        "score": None if score is None else msgspec.to_builtins(score),
    }


def _replays(scope: Scope, market: str) -> Iterator[Replayed]:
    return (replay for replay in scope.replays if market in replay.runs)


def _lived(scope: Scope, replay: Replayed, market: str) -> dict[str, Any]:
    """The real session beside its simulations, each whole."""
    real = [e for e in scope.reviewed.epochs if (e.market, e.session) == (market, replay.epoch)]
    sums = totals_of(real)
    names = ("fills", "bought_lots", "sold_lots", "spread_atoms", "profit_atoms", "worst_lots")
    return {
        "session": replay.epoch,
        "real": {name: sums[name] for name in names},
        "ways": {
            way: {name: getattr(run, name) for name in names[:-1]}
            | {"worst_lots": max((lots for _, lots in run.worst), default=None)}
            for way, run in replay.runs[market].items()
        },
        "scores": [msgspec.to_builtins(s) for s in replay.scores if s.market == market],
    }


# --- words --------------------------------------------------------------------------------------


def lines_of(answer: dict[str, Any]) -> list[str]:
    """The answer for people."""
    lines = [f"{len(answer['sessions'])} sessions, {len(answer['rating_changes'])} rating changes"]
    for market in answer["markets"]:
        lines += _market_lines(market)
    overrides = answer["overrides"]
    days = ", ".join(f"{day} {count}" for day, count in overrides["by_day"].items()) or "none"
    lines.append(f"overrides: {overrides['count']}; by day: {days}")
    for market, rows in overrides["by_row"].items():
        told = ", ".join(f'"{row or "no row"}" {count}' for row, count in rows.items())
        lines.append(f"  {market}: {told}")
    return lines


def money(atoms: int, market: dict[str, Any]) -> str:
    """As decimal text where the market's ticks are known."""
    if market["exponent"] is None:
        return f"{atoms} {market['unit']}"
    return decimal_text(atoms, market["exponent"])


def _market_lines(market: dict[str, Any]) -> Iterator[str]:
    told = market["totals"]
    yield f"{market['market']} (money in {market['unit']})"
    yield "  " + _sums(told, market)
    marks = ", ".join(
        f"{mark['horizon_ns'] // NS_PER_S}s {mark['bps']:+.2f} bp ({mark['fills']})"
        for mark in told["markouts"]
        if mark["fills"]
    )
    yield f"  markouts: {marks or 'no fill was followed long enough'}"
    for row in market["rows"]:
        yield f'  row "{row["row"] or "before the first ruling"}": {row["epochs"]} decisions, '
        yield f"    {row['seconds']:.1f} s; {_sums(row['totals'], market)}"
        if row["score"]:
            yield f"    {_score_words(row['score'], market)}"
    for lived in market["lived_again"]:
        yield f"  session {lived['session']} lived again (profit, fills, worst exposure in lots)"
        for name, run in {"as it was, real": lived["real"], **lived["ways"]}.items():
            profit = money(run["profit_atoms"], market)
            yield f"    {name:<16} {profit:>16}  {run['fills']:>6}  {run['worst_lots']}"


def _sums(told: dict[str, Any], market: dict[str, Any]) -> str:
    parts = [f"{told['fills']} fills, {told['bought_lots']} lots bought, {told['sold_lots']} sold"]
    parts += [
        f"{name} {money(told[f'{name}_atoms'], market)}"
        for name in ("spread", "profit", "realised", "carried")
    ]
    return "; ".join(parts)


def _score_words(score: dict[str, Any], market: dict[str, Any]) -> str:
    sums = ", ".join(f"{way} {money(a, market)}" for way, a in score["own_atoms"].items())
    same = f"simulated row the same in {score['same_row']}"
    costly = f"{score['costly']} of {score['decisions']} cost more than every counterfactual"
    return f"decisions against: {sums or Way.AS_IT_WAS}; {costly}; {same}"
