"""What a running market would do under another rating, BTC or inventory. It sends nothing.

Everything that remembers is copied first: the policy's memory, the strategy, the gate, the stages.
"""

import copy
from collections.abc import Sequence
from typing import Any

import msgspec

from engine.signals.stance import stance_at
from engine.trading.guidance import lean_of
from engine.trading.hedge import Cover
from engine.trading.maker import Maker
from engine.trading.policy_explain import explain
from engine.trading.report import quote_row
from engine.trading.risk import Approved
from engine.trading.strategy import View
from engine.trading.trials import Supposed, Trial
from engine.values.intents import Level
from engine.values.units import NS_PER_S, Ns, Side


def what_if(maker: Maker, supposed: Supposed, now_ns: Ns) -> dict[str, Any]:
    """The ladder, the hedge and the limits at once, and when all that needs time has had it.

    Raises ValueError where the market has no playbook, or has not been looked at yet.
    """
    advice, view = maker.quoter.guidance.advice, maker.view
    if advice is None:
        raise ValueError(f"{maker.market} has no playbook")
    if view is None:
        raise ValueError(f"{maker.market} has not been looked at yet: {maker.state[1]}")
    lots = supposed.position_lots
    position_lots = view.position_lots if lots is None else lots
    ways = tuple(way.market for way in maker.quoter.setup.ways)
    trials = advice.suppose(supposed, now_ns, position_lots, ways)
    return {
        "market": maker.market,
        "state": maker.state[0].value,
        "reason": maker.state[1],
        "supposed": msgspec.to_builtins(supposed),
        "at_once": _outcome(maker, trials[0], view, position_lots),
        "settled": _outcome(maker, trials[-1], view, position_lots),
    }


def _outcome(maker: Maker, trial: Trial, view: View, position_lots: int) -> dict[str, Any]:
    ruling, instrument = trial.ruling, view.instrument
    seen = msgspec.structs.replace(
        view,
        position_lots=position_lots,
        zone=view.bands.zone(position_lots),
        stance=stance_at(trial.rating, trial.at_ns),
        lean=lean_of(ruling),
    )
    approved = _approved(maker, trial, seen)
    ladder = approved.ladder
    return {
        "after_s": (trial.at_ns - trial.asked_ns) / NS_PER_S,
        **explain(ruling),
        "bids": _rows(maker, Side.BUY, ladder.bids),
        "asks": _rows(maker, Side.SELL, ladder.asks),
        "bids_absent": ladder.bids_absent,
        "asks_absent": ladder.asks_absent,
        "refused": list(approved.refused),
        "limits": {
            "bids_may_add": instrument.size_text(ruling.room_bid_lots),
            "worst_position": instrument.size_text(ruling.worst_lots),
            "because": ruling.room_by.value,
            "stops_share": ruling.stops_share,
        },
        "hedge": _hedge(maker, trial, position_lots),
    }


def _approved(maker: Maker, trial: Trial, view: View) -> Approved:
    """The wish through copies of the strategy and of the gate, as narrow as the ruling makes it."""
    assert maker.reading is not None, "a view comes with a reading"
    ruling = trial.ruling
    wish = copy.deepcopy(maker.quoter.setup.strategy).quote(view)
    if maker.hedger is not None:
        wish = maker.hedger.hold_back(wish, trial.asked_ns)
    gate = copy.deepcopy(maker.quoter.gate)
    gate.narrow(ruling.room_bid_lots, f"playbook: {ruling.room_by}", ruling.stops_share)
    reading = msgspec.structs.replace(maker.reading, position_lots=view.position_lots)
    gate.observe(reading)
    return gate.approve(wish, reading)


def _rows(maker: Maker, side: Side, levels: Sequence[Level]) -> list[dict[str, Any]]:
    instrument, live = maker.quoter.setup.instrument, maker.keeper.orders.live(maker.market)
    mine = [order for order in live if order.side is side]
    return [quote_row(instrument, level, mine) for level in levels]


def _hedge(maker: Maker, trial: Trial, position_lots: int) -> dict[str, Any]:
    told: dict[str, Any] = {"stance": trial.ruling.hedge.value}
    if maker.hedger is None:
        return told | {"why": "no market to hedge in is configured"}
    cover: Cover = maker.hedger.suppose(trial.sight, trial.asked_ns, position_lots)
    size = maker.quoter.setup.instrument.size_text
    return told | {
        "stage": cover.stage,
        "target": size(cover.target_lots),
        "change": size(cover.change_lots),
        "unhedged": size(cover.unhedged_lots),
        "why": cover.why,
    }
