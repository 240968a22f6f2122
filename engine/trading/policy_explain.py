"""A ruling in plain words: the five questions in order, the row, and what follows from it."""

from typing import TypedDict

from engine.signals.outlook import DepthTrend, Regime, Thickness, VolatilityTrend
from engine.trading.policy_event import Leaning
from engine.trading.policy_ruling import Ruling
from engine.trading.posture import Answers, Inventory

Numbers = dict[str, float | None]


class Question(TypedDict):
    """One of the five: its answers by name, the numbers behind them, and a sentence."""

    question: str
    answers: dict[str, str]
    numbers: Numbers
    says: str


class Explained(TypedDict):
    """`questions` stand in the order in which they are asked; `ready` is one sentence."""

    market: str
    playbook: str
    row: str
    reason: str
    questions: list[Question]
    conflict: bool
    careful: list[str]
    notes: list[str]
    follows: list[str]
    ready: str


def explain(ruling: Ruling) -> Explained:
    """What `ballast why` shows of a ruling (`Policy.picture`, for numbers of this moment)."""
    return Explained(
        market=ruling.terms.market,
        playbook=ruling.terms.playbook,
        row=ruling.posture.row,
        reason=ruling.posture.reason,
        questions=[ask(ruling) for ask in (_signal, _inventory, _broad, _liquidity, _action)],
        conflict=ruling.conflict,
        careful=list(ruling.careful),
        notes=_notes(ruling),
        follows=_follows(ruling),
        ready=readiness(ruling),
    )


def readiness(ruling: Ruling) -> str:
    """Whether the market's structure is ready for the action that the signal implies."""
    against = obstacles(ruling.answers)
    if ruling.leaning is Leaning.UNKNOWN:
        return "Not asked: the rating is not known, so that it implies no action."
    if ruling.leaning is Leaning.NEUTRAL:
        return "Yes: neutral implies no change" + (
            f", although {_listed(against)}." if against else "."
        )
    if ruling.leaning is Leaning.SELL:
        thin = [why for why in against if why in _HARD_TO_LEAVE]
        if thin:
            return f"Only in stages: inventory has to go while {_listed(thin)}."
        return "Yes: inventory can go into a book that takes it."
    if against:
        return f"No: a buy implies accumulation, but {_listed(against)}."
    if not ruling.is_held and ruling.answers.inventory is not Inventory.BELOW:
        return "Not yet: the market is ready, but the buy has not held long enough."
    return "Yes: depth, volatility and the broad market allow what a buy implies."


_THIN, _SHALLOW = "depth is thinning", "the book is thin"
_HARD_TO_LEAVE = (_THIN, _SHALLOW, "depth is not known", "the book's thickness is not known")


def obstacles(answers: Answers) -> list[str]:
    """What in the market speaks against acting on a buy; not to know is an obstacle, too."""
    found = {
        "BTC is weak": answers.btc is Regime.WEAK,
        "BTC is breaking support": answers.btc is Regime.BREAKING_SUPPORT,
        "BTC's state is not known": answers.btc is Regime.UNKNOWN,
        _THIN: answers.depth is DepthTrend.THINNING,
        "depth is not known": answers.depth is DepthTrend.UNKNOWN,
        "volatility is rising": answers.volatility is VolatilityTrend.RISING,
        "volatility is not known": answers.volatility is VolatilityTrend.UNKNOWN,
        _SHALLOW: answers.book is Thickness.THIN,
        "the book's thickness is not known": answers.book is Thickness.UNKNOWN,
    }
    return [why for why, is_so in found.items() if is_so]


# --- the five questions -------------------------------------------------------------------------


def _signal(ruling: Ruling) -> Question:
    numbers = _of(ruling, "rating_age_s", "rating_score", "voted", "held_s", "frames")
    age_s, voted, held_s = numbers["rating_age_s"], numbers["voted"], numbers["held_s"]
    label = ruling.answers.signal.value
    if ruling.leaning is not Leaning.UNKNOWN:
        says = f"the rating is {label}, {_span(age_s)} old, {_votes(voted)}"
        says += f"; its side has held for {_span(held_s)}"
    elif not ruling.said:
        says = "there is no rating"
    else:
        says = f"the rating said {ruling.said}, but it is too old or too few voted:"
        says += f" {_span(age_s)} old, {_votes(voted)}"
    return Question(question="signal", answers={"signal": label}, numbers=numbers, says=says)


def _inventory(ruling: Ruling) -> Question:
    numbers = _of(ruling, "position_lots", "target_lots", "cap_lots")
    place = ruling.answers.inventory.value
    return Question(
        question="inventory",
        answers={"inventory": place},
        numbers=numbers,
        says=f"the position is {place}: {_lots(numbers['position_lots'])} lots,"
        f" target {_lots(numbers['target_lots'])}, cap {_lots(numbers['cap_lots'])}",
    )


def _broad(ruling: Ruling) -> Question:
    answers = ruling.answers
    numbers = _of(ruling, "beta", "beta_age_s", "correlation", "correlation_age_s")
    return Question(
        question="broad market",
        answers={"btc": answers.btc.value, "correlation": answers.correlation.value},
        numbers=numbers,
        says=f"BTC is {answers.btc.value}, the token's correlation with it"
        f" {answers.correlation.value} ({_number(numbers['correlation'])},"
        f" beta {_number(numbers['beta'])})",
    )


def _liquidity(ruling: Ruling) -> Question:
    answers = ruling.answers
    names = ("depth", "volatility", "turnover", "spread", "score")
    numbers = {k: v for k, v in ruling.numbers.items() if k.startswith(names)}
    return Question(
        question="liquidity",
        answers={
            "depth": answers.depth.value,
            "volatility": answers.volatility.value,
            "book": answers.book.value,
            "turnover": answers.turnover.value,
        },
        numbers=numbers,
        says=f"depth is {answers.depth.value}, volatility {answers.volatility.value},"
        f" the book {answers.book.value}, turnover {answers.turnover.value};"
        f" the spread is {_number(numbers.get('spread_bps'))} bp",
    )


def _action(ruling: Ruling) -> Question:
    numbers = _of(ruling, "bid_size", "ask_size", "bid_closer", "room_bid_lots", "worst_lots")
    return Question(
        question="action",
        answers={"row": ruling.posture.row, "hedge": ruling.hedge.value},
        numbers=numbers,
        says=f"row {ruling.posture.row!r}: {ruling.posture.reason}",
    )


# --- what is worth knowing besides --------------------------------------------------------------


def _notes(ruling: Ruling) -> list[str]:
    numbers, found = ruling.numbers, []
    if ruling.conflict:
        found.append("signal and market disagree: the row that carries less exposure won")
    if ruling.careful:
        found.append(f"not known, so the more careful row: {_listed(list(ruling.careful))}")
    needed, wanted = numbers.get("confirmations_min"), ruling.posture.quotes.bid_size
    if wanted > 1 and needed is not None and len(ruling.factors) < needed:
        found.append(
            f"{len(ruling.factors)} of {needed:g} factors confirm"
            f" ({_listed(list(ruling.factors)) or 'none'}): bids show no more than usual"
        )
    if ruling.posture.quotes.bid_closer > ruling.bid_closer:
        found.append("bids stay as far apart as usual: depth or volatility does not allow less")
    if ruling.hedge is not ruling.posture.hedge:
        found.append("cover is not let go: inventory does not stand below its target")
    return found


def _follows(ruling: Ruling) -> list[str]:
    quotes = ruling.posture.quotes
    found = [
        f"bids show {ruling.bid_size:.0%} of the strategy's size ({quotes.bid_size:.0%} wanted),"
        f" asks {ruling.ask_size:.0%} ({quotes.ask_size:.0%} wanted)",
        f"bids may add {ruling.room_bid_lots} lots, to {ruling.worst_lots}"
        f" at worst, because of this: {ruling.room_by.value}",
        f"hedge: {ruling.hedge.value}; stops at {ruling.stops_share:.0%} of the gate's thresholds",
    ]
    if ruling.event.is_open:
        event, numbers = ruling.event, ruling.numbers
        found.append(
            f"signal event {event.number}, {_span(numbers['event_age_s'])} old, may bring the"
            f" position to {event.opened_lots} + {_lots(numbers['signal_cap_lots'])} lots"
        )
    return found


# --- words --------------------------------------------------------------------------------------


def _of(ruling: Ruling, *names: str) -> Numbers:
    return {name: ruling.numbers.get(name) for name in names}


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:.2f}"


def _lots(value: float | None) -> str:
    return "not known" if value is None else f"{value:.0f}"


def _span(seconds: float | None) -> str:
    return "an unknown time" if seconds is None else f"{seconds:.0f} s"


def _votes(voted: float | None) -> str:
    return "votes not told" if voted is None else f"{voted:.0f} of 26 voted"


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
