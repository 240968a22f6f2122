"""A review as one page: pictures, each market's rows and decisions, the words of people, the draft.

Nothing is fetched and nothing runs; all text that came from outside is escaped.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from html import escape
from typing import Any

from engine.cli.review_answer import money
from engine.values.units import NS_PER_S, Ns

EPOCHS_SHOWN_MAX = 2_000
STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 82em; padding: 0 1em;
  color: #1d2327; background: #fff }
h1 { margin-bottom: 0 } h2 { margin-top: 2em } .note { color: #5a6670 }
table { border-collapse: collapse; margin: .6em 0 } svg { width: 100%; height: auto }
th, td { border: 1px solid #c9d1d8; padding: .2em .45em; text-align: left; vertical-align: top }
th { background: #f2f5f7; font-weight: 600 } td.number { text-align: right; white-space: nowrap }
.costly { background: #f6dcd7 } .small td, .small th { font-size: 12px }
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
        *(f'<p class="note">{escape(note)}</p>' for note in answer["notes"]),
        pictures,
        *(line for market in answer["markets"] for line in _market(market)),
        *_ratings(answer["rating_changes"]),
        *_overrides(answer["overrides"]),
        *_draft(answer["draft"]),
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _market(market: dict[str, Any]) -> Iterator[str]:
    yield f"<h2>{escape(market['market'])}</h2>"
    yield f'<p class="note">Money in {escape(market["unit"])}, before fees.</p>'
    heads = ("row", "decisions", "seconds", "fills", "bought", "sold", "spread", "profit",
             "realised", "carried", "cost more than all", "against each")  # fmt: skip
    yield _table(heads, (_row(row, market) for row in market["rows"]))
    for lived in market["lived_again"]:
        yield f"<p>Session {lived['session']} lived again, beside the real one:</p>"
        runs = {"as it was, real": lived["real"], **lived["ways"]}
        yield _table(
            ("way", "profit", "spread", "fills", "bought", "sold", "worst exposure"),
            (_run(name, run, market) for name, run in runs.items()),
        )
    yield from _epochs(market)


def _row(row: dict[str, Any], market: dict[str, Any]) -> list[Any]:
    told, score = row["totals"], row["score"]
    against = {} if score is None else score["own_atoms"]
    return [
        row["row"] or "before the first ruling",
        row["epochs"],
        f"{row['seconds']:.1f}",
        told["fills"],
        told["bought_lots"],
        told["sold_lots"],
        *(money(told[f"{n}_atoms"], market) for n in ("spread", "profit", "realised", "carried")),
        "" if score is None else f"{score['costly']} of {score['decisions']}",
        "; ".join(f"{way} {money(atoms, market)}" for way, atoms in against.items()),
    ]


def _run(name: str, run: dict[str, Any], market: dict[str, Any]) -> list[Any]:
    sums = [money(run[each], market) for each in ("profit_atoms", "spread_atoms")]
    return [name, *sums, run["fills"], run["bought_lots"], run["sold_lots"], run["worst_lots"]]


def _epochs(market: dict[str, Any]) -> Iterator[str]:
    shown = market["epochs"][:EPOCHS_SHOWN_MAX]
    if len(shown) < len(market["epochs"]):
        yield f"<p>The first {len(shown)} of {len(market['epochs'])} decisions; --json has all.</p>"
    costly = {
        score["number"]: score["was_costly"]
        for lived in market["lived_again"]
        for score in lived["scores"]
    }
    heads = ("", "from", "seconds", "row", "answers", "action", "fills", "bought", "sold",
             "spread", "profit", "position", "worst", "markouts")  # fmt: skip
    rows = (_epoch(epoch, market) for epoch in shown)
    marks = (costly.get(epoch["number"], False) for epoch in shown)
    yield _table(heads, rows, marks)


def _epoch(epoch: dict[str, Any], market: dict[str, Any]) -> list[Any]:
    told = epoch["outcome"]
    seconds = (epoch["ended_ns"] - epoch["began_ns"]) / NS_PER_S
    action = ", ".join(f"{n} {v:g}" for n, v in epoch["action"].items() if v is not None)
    marks = ", ".join(
        f"{mark['horizon_ns'] // NS_PER_S}s {mark['bps']:+.1f}"
        for mark in told["markouts"]
        if mark["fills"]
    )
    return [
        epoch["number"],
        _moment(epoch["began_ns"]),
        f"{seconds:.1f}",
        (epoch["row"] or "before the first ruling") + (" (conflict)" if epoch["conflict"] else ""),
        ", ".join(f"{name} {word}" for name, word in epoch["answers"].items()),
        action,
        told["fills"],
        told["bought_lots"],
        told["sold_lots"],
        money(told["spread_atoms"], market),
        money(told["profit_atoms"], market),
        f"{told['position_start']} to {told['position_end']}",
        told["worst_lots"],
        marks,
    ]


def _ratings(changes: list[dict[str, Any]]) -> Iterator[str]:
    yield "<h2>Rating changes</h2>"
    if not changes:
        yield "<p>None.</p>"
        return
    heads = ("at", "market", "source", "bars", "was", "is", "row then", "row after", "held for")
    yield _table(heads, (_change(change) for change in changes))


def _change(change: dict[str, Any]) -> list[Any]:
    held_ns = change["ended_ns"] - change["at_ns"]
    return [
        _moment(change["at_ns"]),
        change["market"],
        change["source"],
        f"{change['span_ns'] // NS_PER_S} s" if change["span_ns"] else "",
        change["before"],
        change["label"],
        change["row"],
        change["row_after"],
        f"{held_ns / NS_PER_S:.1f} s" if change["ended_ns"] else "still",
    ]


def _overrides(overrides: dict[str, Any]) -> Iterator[str]:
    yield f"<h2>Words of people: {overrides['count']}</h2>"
    if not overrides["count"]:
        return
    yield _table(("day", "words"), overrides["by_day"].items())
    heads = ("at", "market", "kind", "who", "row then", "what")
    yield _table(
        heads,
        (
            [_moment(each["at_ns"]), *(each[n] for n in ("market", "kind", "who", "row", "what"))]
            for each in overrides["words"]
        ),
    )


def _draft(draft: dict[str, Any] | None) -> Iterator[str]:
    if draft is None:
        return
    yield "<h2>Draft, not applied</h2>"
    heads = ("rule", "row", "number", "is", "draft", "evidence")
    rows = (
        [each["rule"], each["row"] or "rules", ".".join(each["path"]), each["before"],
         each["after"], each["evidence"]]
        for each in draft["changes"]
    )  # fmt: skip
    yield _table(heads, rows) if draft["changes"] else "<p>No number changes.</p>"
    yield from (f"<p>{escape(note)}</p>" for note in draft["notes"])


def _table(heads: Iterable[str], rows: Iterable[Iterable[Any]], marks: Iterable[bool] = ()) -> str:
    marked = list(marks)
    lines = ['<table class="small"><tr>' + "".join(f"<th>{each}</th>" for each in heads) + "</tr>"]
    for number, row in enumerate(rows):
        kind = ' class="costly"' if number < len(marked) and marked[number] else ""
        lines.append(f"<tr{kind}>{''.join(_cell(value) for value in row)}</tr>")
    return "\n".join([*lines, "</table>"])


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    kind = ' class="number"' if isinstance(value, int | float) else ""
    return f"<td{kind}>{escape(text)}</td>"


def _moment(at_ns: Ns) -> str:
    try:
        moment = datetime.fromtimestamp(at_ns // NS_PER_S, UTC)
    except (ValueError, OverflowError, OSError):
        return str(at_ns)
    return f"{moment:%Y-%m-%d %H:%M:%S}"
