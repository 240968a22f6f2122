"""A storm: ten times the normal rate; books are conflated, fills are not, nothing is quoted late.

The real driver, inbox, sender and journal stand between a feed and a gateway made up in the same
process and on the same loop, so that the storm's own making costs the engine time as decoding
would. Fills are due at fixed moments and timed from when they were due, not from when the loop came
round to them (no coordinated omission), until the journal has them on disk.
"""

import tempfile
from pathlib import Path

import msgspec
import uvloop

from bench.harness import Timing, arguments, finish, timing
from bench.storm import LIMIT_NS, Found, Weather, storm

WHOLE = Weather()
QUICK = msgspec.structs.replace(WHOLE, calm_s=0.7, storm_s=1.0, fills_per_s=50)
JOURNAL_MS_MAX = 20.0
PHASES = ("calm", "storm")


def rows(found: Found) -> list[Timing]:
    kinds = (
        ("fill due to durable", found.fill_to_journal),
        ("age of the book that was quoted on", found.quote_book_age),
        ("place: newest fact to gateway", found.quote_to_gateway),
    )
    return [
        timing(f"{name}, {phase}", spans[phase])
        for name, spans in kinds
        for phase in PHASES
        if spans.get(phase)
    ]


def main() -> None:
    chosen = arguments(__doc__ or "")
    weather = QUICK if chosen.quick else WHOLE
    with tempfile.TemporaryDirectory() as directory:
        found = uvloop.run(storm(Path(directory), weather))
    timings = rows(found)
    durable = next(row for row in timings if row.name == "fill due to durable, storm")
    ages = [age for spans in found.quote_book_age.values() for age in spans]
    facts: dict[str, object] = {
        "messages a second, calm and storm": (
            f"{weather.messages_per_s:,} and {weather.messages_per_s * weather.times:,}, "
            f"over {weather.markets} markets, for {weather.storm_s:g} s"
        ),
        "messages sent": found.sent,
        "book messages merged into another": found.merged,
        "deepest inbox": found.deepest,
        "fills sent": len(found.fills_sent),
        "fills lost or out of order": sum(
            a != b for a, b in zip(found.fills_sent, found.fills_journaled, strict=False)
        )
        + abs(len(found.fills_sent) - len(found.fills_journaled)),
        f"fill to journal in the storm, p99 in ms (wanted at most {JOURNAL_MS_MAX:g})": round(
            durable.p99 / 1e3, 2
        ),
        "quotes on a book older than the limit": sum(age > LIMIT_NS for age in ages),
        "times a market was pulled because the loop was late": found.late_pulls,
        "books that differ at the end": len(found.books_differ),
    }
    finish(timings, facts, as_json=chosen.json)
    if facts["fills lost or out of order"] or found.books_differ:
        raise SystemExit("the storm lost something")


if __name__ == "__main__":
    main()
