"""What a drill leaves: one answer as data, and the same as one page that prints.

Nothing is fetched and nothing runs; all text that came from outside is escaped.
"""

from collections.abc import Iterator
from html import escape
from typing import Any

from engine.cli.drill_log import Done, DrillLog
from engine.treasury.runbooks import MINUTES, SECONDS, Runbook

CLOCK = (
    "Steps of the engine, the venue and the desk are timed in real time. The clock of the chain, "
    "which is simulated, runs 60 times as fast. Steps of people have the time that the runbook "
    "allows them, unless the drill is run with people."
)
STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 64em; padding: 0 1em;
  color: #1d2327; background: #fff }
h1 { margin-bottom: 0 } h2 { margin-top: 1.6em } .note { color: #5a6670 }
table { border-collapse: collapse; margin: .6em 0; width: 100% }
th, td { border: 1px solid #c9d1d8; padding: .3em .5em; text-align: left; vertical-align: top }
th { background: #f2f5f7; font-weight: 600 } td.number { text-align: right; white-space: nowrap }
.bad { background: #f6dcd7; font-weight: 700 } .never { font-weight: 700 }
ul { margin: 0; padding-left: 1.1em }
@media print { body { font-size: 10px; margin: 0; max-width: none } tr { break-inside: avoid }
  .bad { print-color-adjust: exact } }
"""


def answer_of(log: DrillLog, began: str, seed: int, fault: str) -> dict[str, Any]:
    """`fault` is what ended the drill before its end, "" for nothing."""
    runbook = log.runbook
    return {
        "drill": runbook.name,
        "title": runbook.title,
        "began": began,
        "seed": seed,
        "ok": log.ok and not fault,
        "fault": fault,
        "total_s": round(log.total_s, 3),
        "measured_s": round(sum(done.took_s for done in log.done if done.is_measured), 3),
        "limit_s": SECONDS,
        "clock": CLOCK,
        "trigger": runbook.trigger,
        "decides": list(runbook.decides),
        "seen": runbook.seen,
        "never": runbook.never,
        "steps": [_step(done) for done in log.done],
        "left_out": [step.key for step in runbook.steps[len(log.done) :]],
        "say": [{"to": whom, "words": words} for whom, words in runbook.say],
        "roll_back": runbook.roll_back,
    }


def _step(done: Done) -> dict[str, Any]:
    return {
        "step": done.step.key,
        "who": done.step.who,
        "do": done.step.do,
        "took_s": round(done.took_s, 3),
        "allowed_s": done.step.allowed_s,
        "measured": done.is_measured,
        "ok": done.ok,
        "checks": [{"ok": check.ok, "found": check.found} for check in done.checks],
    }


def page_of(answer: dict[str, Any]) -> str:
    """The report as HTML: the same numbers as the answer."""
    title = f"Drill: {answer['title']}"
    verdict = "passed" if answer["ok"] else f"FAILED {answer['fault']}"
    total = f"{answer['total_s'] / 60:.1f} of {MINUTES} minutes"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        f'<p class="{"note" if answer["ok"] else "bad"}">{escape(verdict)}; {total}, '
        f"{answer['measured_s']:.1f} s of it measured; began {escape(answer['began'])}, "
        f"seed {answer['seed']}.</p>",
        f"<p>{escape(answer['seen'])} <b>Trigger:</b> {escape(answer['trigger'])}. "
        f"<b>Decides:</b> {escape(' or '.join(answer['decides']))}.</p>",
        f'<p class="never">{escape(answer["never"])}</p>',
        *_steps(answer),
        "<h2>What to say</h2><table>",
        *(
            f"<tr><td>{escape(row['to'])}</td><td>{escape(row['words'])}</td></tr>"
            for row in answer["say"]
        ),
        "</table><h2>The way back</h2>",
        f"<p>{escape(answer['roll_back'])}</p>",
        f'<p class="note">{escape(answer["clock"])}</p>',
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _steps(answer: dict[str, Any]) -> Iterator[str]:
    yield "<h2>The first fifteen minutes</h2><table>"
    yield "<tr><th>step</th><th>who</th><th>do</th><th>took</th><th>allowed</th><th>found</th></tr>"
    for row in answer["steps"]:
        took = f"{row['took_s']:.2f} s" if row["measured"] else "as allowed"
        found = "".join(
            f"<li{'' if check['ok'] else ' class=bad'}>{escape(check['found'])}</li>"
            for check in row["checks"]
        )
        yield (
            f"<tr{'' if row['ok'] else ' class=bad'}><td>{escape(row['step'])}</td>"
            f"<td>{escape(row['who'])}</td><td>{escape(row['do'])}</td>"
            f'<td class="number">{took}</td><td class="number">{row["allowed_s"]} s</td>'
            f"<td>{f'<ul>{found}</ul>' if found else ''}</td></tr>"
        )
    for key in answer["left_out"]:
        yield f'<tr class="bad"><td>{escape(key)}</td><td colspan="5">not reached</td></tr>'
    yield "</table>"


def runbook_lines(runbook: Runbook) -> Iterator[str]:
    """The runbook itself, for `--show`: what a person reads before anything is run."""
    yield f"{runbook.name}: {runbook.title}"
    yield f"  seen:    {runbook.seen}"
    yield f"  trigger: {runbook.trigger}; decides: {' or '.join(runbook.decides)}"
    yield f"  NEVER:   {runbook.never}"
    for number, step in enumerate(runbook.steps, 1):
        yield f"  {number}. [{step.allowed_s // 60}:{step.allowed_s % 60:02}] {step.who}: {step.do}"
    for whom, words in runbook.say:
        yield f"  say to {whom}: {words}"
    yield f"  back:    {runbook.roll_back}"
