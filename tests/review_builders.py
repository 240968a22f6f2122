"""Records of a journal, as short as a test can say them, and the scope of a review of them."""

import msgspec

from engine.cli.review_answer import Scope, answer_of
from engine.cli.review_runs import Replayed
from engine.sim.outcomes import Review, reviewed
from engine.values.events import Fill, Halt, PlaybookSet, RatingLabel, RatingSet, Resume
from engine.values.intents import Ladder, Level, Reason
from engine.values.records import (
    Decision,
    HedgeMoved,
    HedgeSent,
    Opening,
    Ruled,
    SessionEnded,
    SessionStarted,
)
from engine.values.units import NS_PER_S, Side
from tests.sim.venue import BTT, MARKET

S = NS_PER_S
BTC = msgspec.structs.replace(BTT, symbol="BTC/USDT", venue_symbol="BTCUSDT", base="BTC",
                              price_exponent=4, size_exponent=6)  # fmt: skip
"""Of the same venue; its money is finer by two digits."""
WHY = Reason(reference=62.0, skew=0.0, width=1.0, rounding=0.0, stance="neutral")


def started(at_s=0, epoch=1):
    return SessionStarted(
        at_ns=at_s * S, epoch=epoch, config_hash="0", code_version="0", mode="demo"
    )


def ended(at_s):
    return SessionEnded(at_ns=at_s * S, open_orders=0, reason="")


def opening(trade_id=-1, at_s=0):
    return Opening(venue=BTT.venue, market=MARKET, at_ns=at_s * S, balances=[], trade_id=trade_id)


def decision(at_s, bid=61, ask=63, position=100, bids=(10,), market=MARKET):
    ladder = Ladder(bids=tuple(Level(tick=bid, lots=lots, reason=WHY) for lots in bids))
    inputs = {"bid_tick": bid, "ask_tick": ask, "position_lots": position}
    return Decision(
        market=market, at_ns=int(at_s * S), decision=1, cause="test", inputs=inputs,
        ladder=ladder, refused=[],
    )  # fmt: skip


def ruled(at_s, row, signal="buy", market=MARKET, playbook="book 0123456789ab", **numbers):
    return Ruled(
        market=market, at_ns=int(at_s * S), playbook=playbook, row=row, reason="because",
        answers={"signal": signal}, numbers=numbers, conflict=False, careful=[], event=0,
        event_lots=0,
    )  # fmt: skip


def fill(at_s, side, tick, lots, trade_id, **more):
    fields = {
        "market": MARKET, "client_id": f"c{trade_id}", "venue_id": "v", "fee_atoms": 0,
        "fee_asset": "USDT", "is_maker": True,
    }  # fmt: skip
    return Fill(
        **{**fields, **more}, trade_id=trade_id, at_ns=int(at_s * S), venue_ns=0,
        side=Side(side), tick=tick, lots=lots,
    )  # fmt: skip


def rating(at_s, label="buy", source="technical rating", ttl_s=3600, span_s=60, market=MARKET):
    at_ns = int(at_s * S)
    return RatingSet(
        market=market, at_ns=at_ns, label=RatingLabel(label), expires_ns=at_ns + ttl_s * S,
        source=source, span_ns=span_s * S, score=0.5, voted=26,
    )  # fmt: skip


def halt(at_s, market=MARKET, who="ann"):
    return Halt(market=market, at_ns=int(at_s * S), who=who, reason="I say so")


def resume(at_s, market=MARKET, who="ann"):
    return Resume(market=market, at_ns=int(at_s * S), who=who, reason="seen")


def playbook_set(at_s, text="", name="book", who="ann", market=MARKET):
    return PlaybookSet(
        market=market, at_ns=int(at_s * S), who=who, name=name, digest="d" * 64, text=text
    )


def hedge_sent(at_s, client_id, hedge_market, mid_half_ticks):
    return HedgeSent(
        market=MARKET, at_ns=int(at_s * S), client_id=client_id, hedge_market=hedge_market,
        lots=1, token_lots=1, mid_half_ticks=mid_half_ticks, why="", candidates={},
    )  # fmt: skip


def hedge_moved(at_s, covered_lots, stance="staged", market=MARKET):
    return HedgeMoved(
        market=market, at_ns=int(at_s * S), stage=1, stance=stance, target_lots=0,
        covered_lots=covered_lots, converted_lots=0, unhedged_lots=0, why="", spent="0",
        budget="0",
    )  # fmt: skip


def told(*records, known=True):
    return reviewed(records, {MARKET: BTT} if known else {})


def outcomes(*records):
    return [epoch.outcome for epoch in told(*records).epochs]


def answer(records, since_ns=0):
    """What `ballast review --json` would say of these records, and their rows as a journal's."""
    review = Review({MARKET: BTT, BTC.market: BTC})
    for record in records:
        review.feed(record)
    reviewed, known = review.result(), {MARKET: BTT, BTC.market: BTC}
    lives = {market: {} for market in reviewed.instruments if market in known}
    replays = [
        Replayed(epoch=epoch, runs=lives, scores=[], notes=[])
        for epoch in dict.fromkeys(span.epoch for span in reviewed.sessions)
    ]
    scope = Scope(
        reviewed=reviewed, known=known, policy_ns={}, recorded=[], since_ns=since_ns,
        replays=replays,
    )  # fmt: skip
    rows = [
        {"kind": type(record).__name__, **msgspec.json.decode(msgspec.json.encode(record))}
        for record in records
    ]
    return rows, msgspec.json.decode(msgspec.json.encode(answer_of(scope)))
