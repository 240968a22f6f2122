"""A review as one page: pictures, each market's rows and decisions, the words of people, the draft.

Nothing is fetched and nothing runs; all text that came from outside is escaped.
"""

from collections.abc import Iterator
from html import escape
from typing import Any

from engine.cli.review_lines import (
    NO_RULING,
    UNKNOWN,
    WAY_WORDS,
    count,
    currency,
    false_words,
    hedge_words,
    markout_words,
    moment,
    money,
    session_words,
    trust_words,
)
from engine.cli.review_table import table
from engine.sim.counterfactual import COUNTERFACTUALS, Way
from engine.values.units import NS_PER_S

EPOCHS_SHOWN_MAX = 2_000
CHANGES_OPEN_MAX = 60
ACTION_WORDS = {
    "bid_size": "bids x",
    "ask_size": "asks x",
    "bid_closer": "bids closer by",
    "room_bid_lots": "room to buy",
    "worst_lots": "at most",
}
"""What a ruling did to the quotes, by the names of its numbers."""
STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 100em; padding: 0 1em;
  color: #1d2327; background: #fff }
h1 { margin-bottom: 0 } h2 { margin-top: 2em } .note { color: #5a6670 }
table { border-collapse: collapse; margin: .6em 0 } svg { width: 100%; height: auto }
th, td { border: 1px solid #c9d1d8; padding: .2em .45em; text-align: left; vertical-align: top }
th { background: #f2f5f7; font-weight: 600 } td.number { text-align: right; white-space: nowrap }
.costly { background: #f6dcd7 } .small td, .small th { font-size: 12px }
.moment { white-space: nowrap } .wide { min-width: 11em }
summary { cursor: pointer; margin: .6em 0 }
@media print { body { font-size: 9px; margin: 0; max-width: none } }
"""


def page_of(answer: dict[str, Any], pictures: str) -> str:
    """`answer` as `--json` tells it; `pictures` are elements made here, or a line instead."""
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>Review of {escape(answer['data_dir'])}</title><style>{STYLE}</style></head><body>",
        f"<h1>Review of {escape(answer['data_dir'])}</h1>",
        *(f"<p>{escape(session_words(session))}</p>" for session in answer["sessions"]),
        *(line for each in answer["markets"] for line in _summary(each, answer["markets"])),
        *(f'<p class="note">{escape(note)}</p>' for note in answer["notes"]),
        pictures,
        *(line for market in answer["markets"] for line in _market(market)),
        *_ratings(answer["rating_changes"]),
        *_overrides(answer["overrides"]),
        *(line for each in answer["proposals"].items() for line in _proposal(*each)),
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _summary(market: dict[str, Any], markets: list[dict[str, Any]]) -> Iterator[str]:
    told, unit = market["totals"], currency(market)
    if not told["decisions"]:
        return
    lines = [
        f"{market['market']}: {money(told['net_atoms'], market, is_signed=True)} {unit} after fees "
        f"of {money(told['fees_atoms'], market)}; {told['fills']} fills, spread earned "
        f"{money(told['spread_atoms'], market)}; markouts: "
        f"{markout_words(told['markouts']) or 'no fill was followed long enough'}.",
        *([f"{words[0].upper()}{words[1:]}."] if (words := hedge_words(market, markets)) else []),
        f"False positives: {'; '.join(false_words(market))}.",
        *(
            [f"How far the replays are to be trusted: {words}."]
            if (words := trust_words(market))
            else []
        ),
    ]
    yield from (f"<p>{escape(line)}</p>" for line in lines)


def _market(market: dict[str, Any]) -> Iterator[str]:
    yield f"<h2>{escape(market['market'])}</h2>"
    yield f"<h3>By row, in {escape(currency(market))}</h3>"
    yield (
        '<p class="note">Profit is before fees. The last columns are from replays: what the row\'s '
        "decisions earned more (+) or less (-) than the same moments of each counterfactual, "
        "without what was carried into them. Costly: less than every one of them.</p>"
    )
    ways = [way for way in COUNTERFACTUALS if any(_has(row, way) for row in market["rows"])]
    heads = ["row", "decisions", "seconds", "fills", "lots bought", "sold", "spread", "profit"]
    heads += ["realised", "carried", "fees", "costly", *(f"against {way}" for way in ways)]
    yield table(heads, (_row(row, market, ways) for row in market["rows"]))
    for lived in market["lived_again"]:
        yield f"<h3>Session {lived['session']} beside its replays</h3>"
        runs = {"real": lived["real"], **lived["ways"]}
        heads = ["", "after fees", "against the replay as it was", "spread", "fills"]
        heads += ["lots bought", "sold", "worst exposure, lots"]
        replayed = lived["ways"].get(Way.AS_IT_WAS)
        yield table(heads, (_run(name, run, replayed, market) for name, run in runs.items()))
    yield from _epochs(market)


def _has(row: dict[str, Any], way: str) -> bool:
    return row["score"] is not None and way in row["score"]["own_atoms"]


def _row(row: dict[str, Any], market: dict[str, Any], ways: list[Any]) -> list[Any]:
    told, score = row["totals"], row["score"]
    return [
        row["row"] or NO_RULING,
        row["epochs"],
        f"{row['seconds']:.1f}",
        told["fills"],
        count(told["bought_lots"]),
        count(told["sold_lots"]),
        *(
            money(told[f"{name}_atoms"], market)
            for name in ("spread", "profit", "realised", "carried", "fees")
        ),
        "" if score is None else f"{score['costly']} of {score['decisions']}",
        *(
            money(score["own_atoms"][way], market, is_signed=True) if _has(row, way) else ""
            for way in ways
        ),
    ]


def _run(
    name: str, run: dict[str, Any], replayed: dict[str, Any] | None, market: dict[str, Any]
) -> list[Any]:
    net, against = run["net_atoms"], ""
    if replayed is not None and net is not None and run is not replayed:
        against = money(net - replayed["net_atoms"], market, is_signed=True)
    lots = [count(run[each]) for each in ("bought_lots", "sold_lots", "worst_lots")]
    spread = money(run["spread_atoms"], market)
    return [WAY_WORDS[name], money(net, market), against, spread, run["fills"], *lots]


# --- decisions ----------------------------------------------------------------------------------


def _epochs(market: dict[str, Any]) -> Iterator[str]:
    shown = market["epochs"][:EPOCHS_SHOWN_MAX]
    costly = {
        score["number"]: score["was_costly"]
        for lived in market["lived_again"]
        for score in lived["scores"]
    }
    heads = ("", "from", "seconds", "row", "answers", "action", "fills", "bought", "sold",
             "spread", "profit", "position", "worst", "markouts, bp")  # fmt: skip
    befores = [None, *(epoch["answers"] for epoch in shown)]
    rows = (_epoch(epoch, before, market) for epoch, before in zip(shown, befores, strict=False))
    marks = (costly.get(epoch["number"], False) for epoch in shown)
    part = f"The first {len(shown)} of " if len(shown) < len(market["epochs"]) else "All "
    yield f"<details><summary>{part}{len(market['epochs'])} decisions, the costly ones in red; "
    yield "answers that are as before are left out</summary>"
    yield table(heads, rows, marks)
    yield "</details>"


def _epoch(
    epoch: dict[str, Any], before: dict[str, str] | None, market: dict[str, Any]
) -> list[Any]:
    told = epoch["outcome"]
    seconds = (epoch["ended_ns"] - epoch["began_ns"]) / NS_PER_S
    action = [
        f"{ACTION_WORDS[name]} {_plain(value)}"
        for name, value in epoch["action"].items()
        if value is not None and (name != "bid_closer" or value)
    ]
    action += [f"hedge {stance}" for stance in told["hedge_stances"]]
    action += [f"tripped {check}" for check in told["tripped"]]
    start, end = (told[f"position_{name}"] for name in ("start", "end"))
    return [
        epoch["number"],
        moment(epoch["began_ns"]),
        f"{seconds:.1f}",
        (epoch["row"] or NO_RULING) + (" (conflict)" if epoch["conflict"] else ""),
        _answers(epoch["answers"], before or {}),
        ", ".join(action),
        told["fills"],
        count(told["bought_lots"]),
        count(told["sold_lots"]),
        money(told["spread_atoms"], market),
        money(told["profit_atoms"], market),
        count(end) if start == end else f"{count(start)} to {count(end)}",
        "" if told["worst_lots"] is None else count(told["worst_lots"]),
        ", ".join(
            f"{mark['horizon_ns'] // NS_PER_S}s {mark['bps']:+.0f}"
            for mark in told["markouts"]
            if mark["fills"]
        ),
    ]


def _plain(value: float) -> str:
    """Lots are whole and long, shares are short."""
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


def _answers(now: dict[str, str], before: dict[str, str]) -> str:
    new = {name: word for name, word in now.items() if before.get(name) != word}
    blank = [name for name, word in new.items() if word == UNKNOWN]
    known = [f"{name} {word}" for name, word in new.items() if word != UNKNOWN]
    return ", ".join(known + ([f"unknown: {', '.join(blank)}"] if blank else []))


# --- words of the market and of people ----------------------------------------------------------


def _ratings(changes: list[dict[str, Any]]) -> Iterator[str]:
    yield f"<h2>Rating changes: {len(changes)}</h2>"
    if not changes:
        return
    yield (
        '<p class="note">Ruled: the one that policy heard; a word from outside goes before our own '
        "rating until it expires. False: the mid had not gone its way when it ended.</p>"
    )
    is_open = ' open="open"' if len(changes) <= CHANGES_OPEN_MAX else ""
    yield f"<details{is_open}><summary>All of them</summary>"
    heads = ("at", "market", "source", "bars", "was", "is", "ruled", "row then", "row after",
             "held for", "mid, ticks", "verdict")  # fmt: skip
    yield table(heads, (_change(change) for change in changes))
    yield "</details>"


def _change(change: dict[str, Any]) -> list[Any]:
    held_ns = change["ended_ns"] - change["at_ns"]
    mids = [change["mid_half_ticks"], change["mid_end_half_ticks"]]
    return [
        moment(change["at_ns"]),
        change["market"],
        change["source"],
        f"{change['span_ns'] // NS_PER_S} s" if change["span_ns"] else "",
        change["before"],
        change["label"],
        "yes" if change["was_heard"] else "no",
        change["row"] or NO_RULING,
        change["row_after"],
        f"{held_ns / NS_PER_S:.1f} s" if change["ended_ns"] else "still",
        " to ".join(f"{mid / 2:g}" for mid in mids if mid),
        change["verdict"],
    ]


def _overrides(overrides: dict[str, Any]) -> Iterator[str]:
    yield f"<h2>Words of people: {overrides['count']}</h2>"
    if not overrides["count"]:
        return
    yield table(("day", "words"), overrides["by_day"].items())
    heads = ("at", "market", "kind", "who", "row then", "what")
    yield table(
        heads,
        (
            [moment(each["at_ns"]), *(each[n] for n in ("market", "kind", "who", "row", "what"))]
            for each in overrides["words"]
        ),
    )


def _proposal(market: str, proposal: dict[str, Any]) -> Iterator[str]:
    yield f"<h2>Proposed for the playbook of {escape(market)}</h2>"
    yield '<p class="note">Nothing is applied. --draft FILE writes it as a playbook to prove.</p>'
    heads = ("rule", "row", "number", "is", "draft", "evidence")
    rows = (
        [each["rule"], each["row"] or "rules", ".".join(each["path"]), each["before"],
         each["after"], each["evidence"]]
        for each in proposal["changes"]
    )  # fmt: skip
    yield table(heads, rows) if proposal["changes"] else "<p>No number changes.</p>"
    yield "<ul>"
    yield from (f"<li>{escape(note)}</li>" for note in proposal["notes"])
    yield "</ul>"
