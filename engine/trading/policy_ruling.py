"""What the policy of a market is shown, and what it answers."""

from enum import StrEnum
from typing import Protocol

import msgspec

from engine.signals.outlook import Known, Outlook
from engine.trading.policy_event import Event, Leaning
from engine.trading.posture import Answers, HedgeStance, Posture
from engine.treasury.bands import Zone
from engine.values.events import RatingLabel, RatingSet
from engine.values.records import Ruled
from engine.values.units import NS_PER_S, Lot, Ns


class Chosen(Protocol):
    """What a playbook makes of one cell: its row, and why it is as careful as it is."""

    @property
    def posture(self) -> Posture: ...

    @property
    def conflict(self) -> bool: ...

    @property
    def careful(self) -> tuple[str, ...]: ...


class Chooser(Protocol):
    """A playbook: total and unambiguous, so that every cell has exactly one answer."""

    def choose(self, answers: Answers) -> Chosen: ...


class RoomBy(StrEnum):
    """Which rule bounds what the bids may still add."""

    ROW_SHARE = "the row's share of the way from target to cap"
    ROW_TARGET = "the row adds nothing above target"
    NOT_HELD = "the buy has not held long enough to add anything above target"
    NOT_KNOWN = "a rating that is not known adds nothing above target"
    EVENT = "the cap of the signal event"
    NO_POSITION = "the position is not known"


class Perceived(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One market at one moment, as far as a rating is judged by it.

    `rating` is the one that the market is run by, `agreeing` the labels that are fresh in other
    time frames. `zone` None says that the position is not known: nothing may be added then.
    """

    now_ns: Ns
    rating: RatingSet | None
    agreeing: tuple[RatingLabel, ...]
    outlook: Outlook
    position_lots: Lot
    zone: Zone | None


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy goes by, in the units of its market: the same for all of its rulings."""

    market: str
    playbook: str
    target_lots: Lot
    cap_lots: Lot
    signal_cap_lots: Lot
    confirmations_min: int
    persistence_s: float


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """What a market does now because of its rating, and everything that this follows from.

    `bid_size`, `ask_size`: shares of the strategy's own sizes to display now, always above 0.
    `bid_closer`: the share to take off the distance between bids. `*_out_ticks`: as in the row.
    `room_bid_lots`: what everything working on the bid side together may still fill; `room_by` says
    which rule is the tightest, `worst_lots` where the position would stand then. Asks have no room
    here: a rating never holds back a sale.
    `hedge`, `stops_share`: as in the row, but no cover is let go unless inventory is below target.
    `began_ns` is when the side of the signal began, `away_ns` since when it is known not to be buy.
    `seen` is the moment at which something last changed, or of the look that it is a picture of.
    """

    terms: Terms
    seen: Perceived
    answers: Answers
    posture: Posture
    conflict: bool
    careful: tuple[str, ...]
    factors: tuple[str, ...]
    leaning: Leaning
    began_ns: Ns
    away_ns: Ns | None
    is_sell_hidden: bool
    is_held: bool
    event: Event
    bid_size: float
    ask_size: float
    bid_closer: float
    bid_out_ticks: float
    ask_out_ticks: float
    upper_ask_out_ticks: float
    room_bid_lots: Lot
    room_by: RoomBy
    worst_lots: Lot
    hedge: HedgeStance
    stops_share: float

    def __repr__(self) -> str:
        return (
            f"<ruling {self.terms.market} {self.answers.signal}: {self.posture.row},"
            f" bid {self.bid_size:g} ask {self.ask_size:g} room {self.room_bid_lots}>"
        )

    def held_s(self, now_ns: Ns) -> float:
        """How long the signal's side has held: what later stages of a hedge wait for.

        A sell that went stale goes on counting, so that no cover waits for a late rating.
        """
        return max(0, now_ns - self.began_ns) / NS_PER_S

    @property
    def said(self) -> str:
        """The rating's label even where it is too old or too thin to count, "" without one."""
        return self.seen.rating.label.value if self.seen.rating else ""

    @property
    def key(self) -> tuple[Answers, str, bool, Event, tuple[str, ...]]:
        """A change in this is worth a record."""
        return self.answers, self.posture.row, self.conflict, self.event, self.factors

    @property
    def numbers(self) -> dict[str, float | None]:
        """Those behind the answers, those that follow, and what a restart needs."""
        return signal_numbers(self) | ruled_numbers(self) | outlook_numbers(self.seen.outlook)


def record_of(ruling: Ruling) -> Ruled:
    """The ruling as the journal keeps it."""
    return Ruled(
        market=ruling.terms.market,
        at_ns=ruling.seen.now_ns,
        playbook=ruling.terms.playbook,
        row=ruling.posture.row,
        reason=ruling.posture.reason,
        answers=answers_in_words(ruling.answers),
        numbers=ruling.numbers,
        conflict=ruling.conflict,
        careful=list(ruling.careful),
        event=ruling.event.number,
        event_lots=ruling.event.opened_lots,
    )


def answers_in_words(answers: Answers) -> dict[str, str]:
    return {question: word.value for question, word in msgspec.structs.asdict(answers).items()}


def signal_numbers(ruling: Ruling) -> dict[str, float | None]:
    """Of question 1, with the clock and the event."""
    now_ns, rating, event, away_ns = (
        ruling.seen.now_ns, ruling.seen.rating, ruling.event, ruling.away_ns,
    )  # fmt: skip
    return {
        "rating_age_s": max(0, now_ns - rating.at_ns) / NS_PER_S if rating else None,
        "rating_score": rating.score if rating else None,
        "voted": rating.voted if rating else None,
        "frames": len(ruling.seen.agreeing),
        "held_s": ruling.held_s(now_ns),
        "away_s": None if away_ns is None else (now_ns - away_ns) / NS_PER_S,
        "sell_hidden": float(ruling.is_sell_hidden),
        "event_open": float(event.is_open),
        "event_age_s": (now_ns - event.opened_ns) / NS_PER_S if event.number else None,
    }


def ruled_numbers(ruling: Ruling) -> dict[str, float | None]:
    """Of questions 2 and 5."""
    terms = ruling.terms
    return {
        "position_lots": None if ruling.seen.zone is None else ruling.seen.position_lots,
        "target_lots": terms.target_lots,
        "cap_lots": terms.cap_lots,
        "signal_cap_lots": terms.signal_cap_lots,
        "confirmations": len(ruling.factors),
        "confirmations_min": terms.confirmations_min,
        "persistence_s": terms.persistence_s,
        "bid_size": ruling.bid_size,
        "ask_size": ruling.ask_size,
        "bid_closer": ruling.bid_closer,
        "room_bid_lots": ruling.room_bid_lots,
        "worst_lots": ruling.worst_lots,
    }


def outlook_numbers(outlook: Outlook) -> dict[str, float | None]:
    """The numbers behind questions 3 and 4, each with its age in seconds."""
    numbers: dict[str, float | None] = {}
    for name, known in (
        ("beta", outlook.beta),
        ("correlation", outlook.correlation_value),
        ("depth_ratio", outlook.depth_ratio),
        ("volatility_ratio", outlook.volatility_ratio),
        ("spread_bps", outlook.spread_bps),
        ("score", outlook.score),
        ("turnover_ratio", outlook.turnover_ratio),
    ):
        numbers[name] = known.value if known else None
        numbers[f"{name}_age_s"] = _age_s(known)
    for name, (bid_lots, ask_lots) in zip(
        ("depth_1pct", "depth_2pct", "depth_5pct"), outlook.depth_lots, strict=False
    ):
        numbers[f"{name}_bid_lots"], numbers[f"{name}_ask_lots"] = bid_lots, ask_lots
    return numbers


def _age_s(known: Known | None) -> float | None:
    return known.age_ns / NS_PER_S if known else None
