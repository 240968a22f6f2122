"""A review as one answer for scripts. Money stays whole atoms; words are for `review_lines`."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from engine.cli.review_runs import Replayed
from engine.sim import counterfactual
from engine.sim.counterfactual import RowScore, Way
from engine.sim.epochs import Epoch, Markout, Outcome
from engine.sim.hedge_profit import Leg, with_hedges
from engine.sim.outcomes import Reviewed
from engine.sim.overrides import NS_PER_DAY, Override, RatingChange, Verdict, by_day, by_row
from engine.sim.tally import Point
from engine.values.events import Fill
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_S, Atoms, Ns

SUMMED = (
    "decisions", "fills", "maker_fills", "bought_lots", "sold_lots", "turnover_atoms",
    "spread_atoms", "profit_atoms", "trading_atoms", "carried_atoms", "realised_atoms",
)  # fmt: skip
"""Figures of an outcome that add up over epochs."""
LIVED = ("fills", "bought_lots", "sold_lots", "spread_atoms")
NO_TICKS = "ticks x lots"


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """A reviewed journal, the part of it that is told, and what was lived again.

    `policy_ns` is, by market, the time frame whose own rating policy read, as far as known.
    """

    reviewed: Reviewed
    known: dict[str, Instrument]
    policy_ns: dict[str, Ns]
    recorded: list[int]
    since_ns: Ns
    replays: list[Replayed]

    def epochs(self, market: str = "") -> list[Epoch]:
        return [
            epoch
            for epoch in self.reviewed.epochs
            if epoch.ended_ns >= self.since_ns and market in ("", epoch.market)
        ]

    def changes(self, market: str = "") -> list[RatingChange]:
        return [
            change
            for change in self.reviewed.changes
            if change.at_ns >= self.since_ns and market in ("", change.market)
        ]

    def overrides(self) -> list[Override]:
        return [each for each in self.reviewed.overrides if each.at_ns >= self.since_ns]

    def row_scores(self, market: str) -> list[RowScore]:
        found = [s for replay in self.replays for s in replay.scores if s.market == market]
        return counterfactual.by_row(found)

    def replay_error(self, market: str) -> Atoms | None:
        """What replays as it was miss of the real profit, session by session; None if unknown."""
        errors = [
            abs(run.profit_atoms - real)
            for replay in self.replays
            if (run := replay.runs.get(market, {}).get(Way.AS_IT_WAS)) is not None
            if (real := net_of(self, replay.epoch, market)) is not None
        ]
        return sum(errors) if errors else None


def answer_of(scope: Scope) -> dict[str, Any]:
    """Everything but the notes and the drafts."""
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
        "rating_changes": [msgspec.to_builtins(change) for change in scope.changes()],
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


# --- sums ---------------------------------------------------------------------------------------


def totals_of(epochs: Iterable[Epoch]) -> dict[str, Any]:
    """The sums over epochs of one market, with fees by asset, markouts and hedges.

    `net_atoms` is profit after fees; None where fees cannot be told in the quote asset.
    """
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
    known = [each.fees_atoms for each in told if each.fees_atoms is not None]
    paid = sum(known) if len(known) == len(told) else None
    return sums | {
        "fees": fees,
        "fees_atoms": paid,
        "net_atoms": None if paid is None else sums["profit_atoms"] - paid,
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


# --- one market ---------------------------------------------------------------------------------


def _market(scope: Scope, market: str) -> dict[str, Any]:
    item, epochs = scope.reviewed.instruments[market], scope.epochs(market)
    rows = list(dict.fromkeys(epoch.row for epoch in epochs))
    scored = {score.row: score for score in scope.row_scores(market)}
    return {
        "market": market,
        "unit": f"atoms of {item.quote}" if market in scope.known else NO_TICKS,
        "exponent": item.quote_exponent if market in scope.known else None,
        "tick_lot_atoms": item.tick_lot_atoms,
        "lot_base_atoms": item.lot_base_atoms if market in scope.known else None,
        "policy_span_ns": scope.policy_ns.get(market),
        "totals": totals_of(epochs),
        "false_positives": _false_positives(scope, market),
        "replay_error_atoms": scope.replay_error(market),
        "rows": [_row(epochs, row, scored.get(row)) for row in rows],
        "epochs": [_epoch(epoch) for epoch in epochs],
        "lived_again": [_lived(scope, replay, market) for replay in _replays(scope, market)],
    }


def _false_positives(scope: Scope, market: str) -> dict[str, Any]:
    """Buys and sells that the market did not follow, and decisions that cost more than none."""
    judged = [each for each in scope.changes(market) if each.verdict is not Verdict.NONE]
    scores = [s for replay in scope.replays for s in replay.scores if s.market == market]
    labels = dict.fromkeys(each.label.value for each in judged)
    return {
        "ratings_judged": len(judged),
        "ratings_false": sum(each.verdict is Verdict.FALSE for each in judged),
        "by_label": {
            label: {
                "judged": sum(each.label.value == label for each in judged),
                "false": sum(
                    each.label.value == label and each.verdict is Verdict.FALSE for each in judged
                ),
            }
            for label in labels
        },
        "decisions_scored": len(scores),
        "decisions_costly": sum(score.was_costly for score in scores),
    }


def _epoch(epoch: Epoch) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(epoch)
    outcome = told["outcome"]
    outcome["markouts"] = [_markout(each) for each in epoch.outcome.markouts]
    return told


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
    """The real session beside its simulations, each whole and after fees and hedges."""
    sums = totals_of(_real(scope, replay.epoch, market))
    return {
        "session": replay.epoch,
        "real": {name: sums[name] for name in LIVED}
        | {"net_atoms": net_of(scope, replay.epoch, market), "worst_lots": sums["worst_lots"]},
        "ways": {
            way: {name: getattr(run, name) for name in LIVED}
            | {
                "net_atoms": run.profit_atoms,
                "worst_lots": max((lots for _, lots in run.worst), default=None),
            }
            for way, run in replay.runs[market].items()
        },
        "scores": [msgspec.to_builtins(s) for s in replay.scores if s.market == market],
    }


def _real(scope: Scope, session: int, market: str) -> list[Epoch]:
    return [e for e in scope.reviewed.epochs if (e.market, e.session) == (market, session)]


def net_of(scope: Scope, session: int, market: str) -> Atoms | None:
    """A session's real profit after fees with its hedges elsewhere; None where it cannot be told.

    A hedge counts from its fill to the session's end, at the mids that decisions looked at.
    """
    reviewed, mine = scope.reviewed, _real(scope, session, market)
    net = totals_of(mine)["net_atoms"]
    fills: dict[str, list[Fill]] = {}
    for hedge in reviewed.hedges:
        if (hedge.market, hedge.epoch) == (market, session) and hedge.fill.market != market:
            fills.setdefault(hedge.fill.market, []).append(hedge.fill)
    if net is None or not mine or not fills.keys() <= scope.known.keys():
        return None
    legs = []
    for other, made in fills.items():
        marks = reviewed.marks[other]
        known = zip(marks.moments_ns, marks.mids, strict=True)
        points = [Point(at_ns, 0, 0, mid) for at_ns, mid in known]
        legs.append(Leg(scope.known[other], made, points))
    end = Point(mine[-1].ended_ns, net, 0, 0)
    return with_hedges([end], scope.known[market], legs)[0].profit_atoms
