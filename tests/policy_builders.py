"""Small builders for a market's policy: a hand-made playbook, ratings, and a market that moves."""

from typing import Any

import msgspec
from hypothesis import strategies as st

from engine.signals.outlook import (
    Correlation,
    DepthTrend,
    Outlook,
    Regime,
    Thickness,
    Turnover,
    VolatilityTrend,
)
from engine.trading.policy import Perceived, Policy, Ruling
from engine.trading.posture import AS_IT_IS, HedgeStance, Posture, Signal
from engine.trading.rules import RulesParams
from engine.values.events import RatingLabel, RatingSet
from engine.values.records import Ruled
from engine.values.units import NS_PER_S
from tests.trading_builders import BANDS, BTT, NOW_NS

PERSISTENCE_S, STEP_S = 600, 60
SIGNAL_CAP = 4_000_000
TARGET = BANDS.target_lots
FRIENDLY = Outlook(
    btc=Regime.STABLE,
    correlation=Correlation.LOW,
    depth=DepthTrend.IMPROVING,
    volatility=VolatilityTrend.STEADY,
    book=Thickness.DEEP,
    turnover=Turnover.NORMAL,
)


def rules(**changes: Any) -> RulesParams:
    fields: dict[str, Any] = {
        "votes_min": 20,
        "votes_needed": False,
        "rating_age_max_s": 86_400.0,
        "persistence_s": float(PERSISTENCE_S),
        "confirmations_min": 3,
        "signal_cap": str(SIGNAL_CAP),
        "size_step": 0.05,
        "size_step_every_s": float(STEP_S),
    }
    return RulesParams(**(fields | changes))


def posture(row: str, **changes: Any) -> Posture:
    """A row that is as without a playbook but for `changes`, whichever part they belong to."""
    parts: dict[str, Any] = {"row": row, "reason": f"because {row}"}
    for name in ("quotes", "limits"):
        part = getattr(AS_IT_IS, name)
        own = {key: value for key, value in changes.items() if key in part.__struct_fields__}
        parts[name] = msgspec.structs.replace(part, **own)
    return msgspec.structs.replace(AS_IT_IS, **parts, hedge=changes.get("hedge", AS_IT_IS.hedge))


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    posture: Posture
    conflict: bool = False
    careful: tuple[str, ...] = ()


BUY_ROW = posture("buy", bid_size=1.2, bid_closer=0.2, hedge=HedgeStance.HOLD)
NEUTRAL_ROW = posture("neutral")
SELL_ROW = posture(
    "sell", bid_size=0.5, ask_size=0.7, ask_out_ticks=1.0, may_add=False,
    hedge=HedgeStance.MORE, stops_share=0.5,
)  # fmt: skip


class BySignal:
    """Looks at the signal only. Not to know it is neutral here: the policy has to be careful."""

    ROWS = {  # noqa: RUF012 never changed
        Signal.STRONG_BUY: BUY_ROW,
        Signal.BUY: BUY_ROW,
        Signal.NEUTRAL: NEUTRAL_ROW,
        Signal.SELL: SELL_ROW,
        Signal.STRONG_SELL: SELL_ROW,
        Signal.UNKNOWN: NEUTRAL_ROW,
    }

    def choose(self, answers):
        return Chosen(posture=self.ROWS[answers.signal])


def rating(label: RatingLabel, at_s: float = 0, *, ttl_s: float = 7200, **changes: Any):
    fields: dict[str, Any] = {
        "market": BTT.market,
        "at_ns": at(at_s),
        "label": label,
        "expires_ns": at(at_s + ttl_s),
        "source": "test",
        "voted": 26,
    }
    return RatingSet(**(fields | changes))


def at(seconds: float) -> int:
    return NOW_NS + round(seconds * NS_PER_S)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    at_s: float
    position: int
    ruling: Ruling


class Market:
    """One market with its policy: time, a rating, an outlook and a position that tests set."""

    def __init__(self, chooser=None, *, position=TARGET, **changes: Any) -> None:
        self.chooser = chooser or BySignal()
        self.policy = Policy(self.chooser, rules(**changes), BTT, BANDS, "test")
        self.changes = changes
        self.at_s = 0.0
        self.rating: RatingSet | None = None
        self.outlook = FRIENDLY
        self.agreeing: tuple[RatingLabel, ...] = ()
        self.position = position
        self.journal: list[Ruled | RatingSet] = []
        self.log: list[Asked] = []

    def rate(self, label: RatingLabel | None, **changes: Any) -> Ruling:
        self.rating = None if label is None else rating(label, self.at_s, **changes)
        if self.rating is not None:
            self.journal.append(self.rating)
        return self.ask()

    def wait(self, seconds: float) -> Ruling:
        self.at_s += seconds
        return self.ask()

    def hold(self, *, position: int) -> Ruling:
        self.position = position
        return self.ask()

    def seen(self, **changes: Any) -> Perceived:
        fields: dict[str, Any] = {
            "now_ns": at(self.at_s),
            "rating": self.rating,
            "agreeing": self.agreeing,
            "outlook": self.outlook,
            "position_lots": self.position,
            "zone": BANDS.zone(self.position),
        }
        return Perceived(**(fields | changes))

    def ask(self, **changes: Any) -> Ruling:
        ruling = self.policy.ask(self.seen(**changes))
        record = self.policy.record_if_changed()
        if record is not None:
            self.journal.append(record)
        self.log.append(Asked(at_s=self.at_s, position=self.position, ruling=ruling))
        return ruling

    def restarted(self) -> "Market":
        """The same market after a restart: all that it knows stands in the journal, as JSON."""
        other = Market(self.chooser, position=self.position, **self.changes)
        for fact in self.journal:
            kept = msgspec.json.decode(msgspec.json.encode(fact), type=Ruled | RatingSet)
            other.policy.remember(kept)
            other.journal.append(kept)
        other.at_s, other.outlook, other.agreeing = self.at_s, self.outlook, self.agreeing
        other.rating = self.rating
        return other


# --- generated histories ------------------------------------------------------------------------


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """`share` of the room is filled (above 0), or of the position sold (below), then time goes."""

    wait_s: float
    label: RatingLabel | None
    is_rated: bool
    ttl_s: float
    voted: int | None
    words: dict[str, Any]
    agreeing: tuple[RatingLabel, ...]
    share: float


WORDS = {
    "btc": Regime,
    "correlation": Correlation,
    "depth": DepthTrend,
    "volatility": VolatilityTrend,
    "book": Thickness,
    "turnover": Turnover,
}
outlook_words = st.fixed_dictionaries({n: st.sampled_from(list(e)) for n, e in WORDS.items()})
labels = st.sampled_from([*RatingLabel, None])
moves = st.builds(
    Move,
    wait_s=st.sampled_from([0.0, 1.0, 20.0, 60.0, 300.0, 600.0, 2_000.0]),
    label=labels,
    is_rated=st.booleans(),
    ttl_s=st.sampled_from([1.0, 100.0, 700.0, 7_200.0]),
    voted=st.sampled_from([26, 26, 26, 5, None]),
    words=outlook_words,
    agreeing=st.lists(st.sampled_from(list(RatingLabel)), max_size=2).map(tuple),
    share=st.sampled_from([-0.5, -0.1, 0.0, 0.0, 0.5, 1.0]),
)
histories = st.lists(moves, min_size=1, max_size=12)
positions = st.sampled_from([0, 10_000_000, 18_000_000, TARGET, 26_000_000, 39_000_000, 45_000_000])


def make(market: Market, move: Move) -> Ruling:
    """Let one move happen to a market."""
    market.outlook, market.agreeing = Outlook(**move.words), move.agreeing
    ruling = market.rate(move.label, **_lived(move)) if move.is_rated else market.ask()
    lots = ruling.room_bid_lots if move.share > 0 else market.position
    market.hold(position=market.position + int(move.share * lots))
    return market.wait(move.wait_s)


def _lived(move: Move) -> dict[str, Any]:
    return {"ttl_s": move.ttl_s, "voted": move.voted} if move.label is not None else {}


def after(history: list[Move], position: int, chooser=None) -> Market:
    market = Market(chooser, position=position)
    for move in history:
        make(market, move)
    return market
