"""A review as lines for people: what happened, what else might have, and what to talk about."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from engine.values.units import NS_PER_S, Ns, decimal_text

NO_RULING = "before the first ruling"
UNKNOWN = "unknown"
WAY_WORDS = {
    "real": "what happened",
    "as it was": "replayed as it was",
    "no signal": "replayed with no signal",
    "neutral": "replayed neutral",
    "full hedge": "replayed with a full hedge",
}


def lines_of(answer: dict[str, Any]) -> list[str]:
    """The answer for people."""
    lines = [session_words(session) for session in answer["sessions"]]
    for market in answer["markets"]:
        lines += _market_lines(market, answer["markets"])
    overrides = answer["overrides"]
    days = ", ".join(f"{day} {count}" for day, count in overrides["by_day"].items()) or "none"
    lines.append(f"rating changes: {len(answer['rating_changes'])}")
    lines.append(f"overrides: {overrides['count']}; by day: {days}")
    for market, rows in overrides["by_row"].items():
        told = ", ".join(f'"{row or "no row"}" {count}' for row, count in rows.items())
        lines.append(f"  {market}: {told}")
    for market, proposal in answer["proposals"].items():
        lines += [f"proposed for the playbook of {market}:", *_proposal_lines(proposal)]
    return lines


# --- words that the page uses too ---------------------------------------------------------------


def moment(at_ns: Ns) -> str:
    """UTC to the second; a moment that no calendar has stays a number."""
    try:
        found = datetime.fromtimestamp(at_ns // NS_PER_S, UTC)
    except (ValueError, OverflowError, OSError):
        return str(at_ns)
    return f"{found:%Y-%m-%d %H:%M:%S}"


def money(atoms: int | None, market: dict[str, Any], *, is_signed: bool = False) -> str:
    """As decimal text where the market's ticks are known."""
    if atoms is None:
        return UNKNOWN
    sign = "+" if is_signed and atoms > 0 else ""
    if market["exponent"] is None:
        return f"{sign}{atoms}"
    return sign + decimal_text(atoms, market["exponent"])


def currency(market: dict[str, Any]) -> str:
    """What money is counted in: USDT, or ticks x lots where no recording says the tick."""
    return str(market["unit"]).removeprefix("atoms of ")


def count(number: int | None) -> str:
    return UNKNOWN if number is None else f"{number:,}"


def session_words(session: dict[str, Any]) -> str:
    ending = "ended in order" if session["was_orderly"] else "no orderly end (killed, or it runs)"
    told = "replayed" if session["replayed"] else "recorded" if session["recorded"] else ""
    return (
        f"session {session['epoch']}: {moment(session['began_ns'])} to "
        f"{moment(session['ended_ns'])} UTC, {ending}, {told or 'not recorded'}"
    )


def markout_words(marks: list[dict[str, Any]]) -> str:
    return ", ".join(
        f"{mark['horizon_ns'] // NS_PER_S}s {mark['bps']:+.1f} bp ({mark['fills']})"
        for mark in marks
        if mark["fills"]
    )


def false_words(market: dict[str, Any]) -> list[str]:
    """False positives of ratings and of decisions, each beside how many there were."""
    found = market["false_positives"]
    labels = ", ".join(
        f"{label} {each['false']} of {each['judged']}" for label, each in found["by_label"].items()
    )
    ratings = (
        f"{found['ratings_false']} of {found['ratings_judged']} buys and sells that ruled were not "
        f"followed by the market before they ended ({labels})"
        if found["ratings_judged"]
        else "no buy or sell that ruled has ended yet, so none is judged"
    )
    decisions = (
        f"{found['decisions_costly']} of {found['decisions_scored']} decisions earned less than "
        "every counterfactual"
        if found["decisions_scored"]
        else "no decision was replayed, so none is judged"
    )
    return [ratings, decisions]


def hedge_words(market: dict[str, Any], markets: list[dict[str, Any]]) -> str:
    """What cover of the market cost beyond the mids it was sent at, "" where there was none."""
    told, units = market["totals"], {each["market"]: each for each in markets}
    if not told["hedge_fills"]:
        return ""
    paid = ", ".join(
        f"{money(atoms, units[other])} {currency(units[other])} in {other}"
        for other, atoms in told["slippage_atoms"].items()
    )
    return f"hedges: {told['hedge_fills']} fills, slippage {paid}"


def trust_words(market: dict[str, Any]) -> str:
    """How far replays are to be believed, "" where there is nothing to hold them against."""
    error = market["replay_error_atoms"]
    if error is None:
        return ""
    return (
        f"the replay as it was misses what happened by {money(error, market)} {currency(market)}: "
        "a smaller difference between two replays says nothing"
    )


# --- lines --------------------------------------------------------------------------------------


def _market_lines(market: dict[str, Any], markets: list[dict[str, Any]]) -> Iterator[str]:
    told = market["totals"]
    yield f"{market['market']} (money in {currency(market)})"
    yield "  " + _sums(told, market)
    yield f"  markouts: {markout_words(told['markouts']) or 'no fill was followed long enough'}"
    if words := hedge_words(market, markets):
        yield f"  {words}"
    yield "  false positives: " + "; ".join(false_words(market))
    for row in market["rows"]:
        yield f'  row "{row["row"] or NO_RULING}": {row["epochs"]} decisions, '
        yield f"    {row['seconds']:.1f} s; {_sums(row['totals'], market)}"
        if row["score"]:
            yield f"    {_score_words(row['score'], market)}"
    for lived in market["lived_again"]:
        yield f"  session {lived['session']} (after fees; fills; worst exposure in lots)"
        for name, run in {"real": lived["real"], **lived["ways"]}.items():
            net, worst = money(run["net_atoms"], market), count(run["worst_lots"])
            yield f"    {WAY_WORDS[name]:<27} {net:>14}  {run['fills']:>6}  {worst:>14}"
    if words := trust_words(market):
        yield f"  {words}"


def _sums(told: dict[str, Any], market: dict[str, Any]) -> str:
    parts = [
        f"{told['fills']} fills, {count(told['bought_lots'])} lots bought, "
        f"{count(told['sold_lots'])} sold"
    ]
    parts += [
        f"{name} {money(told[f'{name}_atoms'], market)}"
        for name in ("spread", "profit", "realised", "carried", "fees")
    ]
    return "; ".join([*parts, f"after fees {money(told['net_atoms'], market)}"])


def _score_words(score: dict[str, Any], market: dict[str, Any]) -> str:
    sums = ", ".join(
        f"{way} {money(a, market, is_signed=True)}" for way, a in score["own_atoms"].items()
    )
    costly = f"{score['costly']} of {score['decisions']} earned less than every counterfactual"
    same = f"the replay chose the same row in {score['same_row']}"
    return f"against {sums or 'nothing'}; {costly}; {same}"


def _proposal_lines(proposal: dict[str, Any]) -> Iterator[str]:
    for change in proposal["changes"]:
        where = f'"{change["row"]}"' if change["row"] else "rules"
        path = ".".join(change["path"])
        yield f"  {change['rule']}, {where}: {path} {change['before']:g} -> {change['after']:g}"
        yield f"    {change['evidence']}"
    if not proposal["changes"]:
        yield "  no number changes"
    yield from (f"  {note}" for note in proposal["notes"])
