"""`ballast review`: what a playbook's decisions led to, against what else might have been done."""

from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engine.cli.operate import DEFAULT_DIRECTORY
from engine.cli.progress import shown
from engine.cli.review_answer import Scope, answer_of, lines_of
from engine.cli.review_data import (
    Found,
    data_for,
    found_at,
    latest_playbook,
    recorded_marks,
    settled,
    since_ns,
)
from engine.cli.review_page import page_of
from engine.cli.review_runs import Replayed, replayed
from engine.cli.show import as_json, as_text
from engine.sim.drafts import Draft, Evidence, draft, drafted
from engine.sim.epochs import Marks
from engine.sim.outcomes import Reviewed
from engine.sim.overrides import by_row
from engine.values.errors import UserError


def review(
    at: Annotated[
        Path, typer.Option("--at", help="A config, a data directory or a journal.")
    ] = DEFAULT_DIRECTORY,
    since: Annotated[
        str, typer.Option(help="7d, 12h, 90m before the newest record; all; or an ISO time.")
    ] = "7d",
    html: Annotated[Path | None, typer.Option(help="Write a page here.")] = None,
    draft_file: Annotated[
        Path | None, typer.Option("--draft", help="Write a draft of a playbook; never applied.")
    ] = None,
    market: Annotated[
        str, typer.Option(help="Whose playbook to draft, where several have one.")
    ] = "",
    replay: Annotated[
        bool, typer.Option("--replay/--no-replay", help="Live recorded sessions again.")
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """Score the decisions of a week: fills, spread, markouts, profit, and the counterfactuals."""
    found = found_at(at)
    scope, notes = _scope(found, since, is_replayed=replay)
    answer = {"data_dir": str(found.home), **answer_of(scope)}
    written: Draft | None = None
    if draft_file is not None:
        written = _drafted(found, scope, market, draft_file)
        notes.append(f"{draft_file}: a draft, {len(written.changes)} numbers changed; not applied")
    answer["draft"] = None if written is None else msgspec.to_builtins(written)
    answer["notes"] = notes
    if html is not None:
        _write(html, page_of(answer, _pictures(scope)))
        notes.append(f"{html}: the whole review as a page")
    if json:
        as_json(answer)
        return
    drafts = [] if written is None else _draft_lines(written)
    as_text(*lines_of(answer), *drafts, *(f"note: {note}" for note in notes))


def _scope(found: Found, since: str, *, is_replayed: bool) -> tuple[Scope, list[str]]:
    """The review, what was lived again of it, and what is missing to it."""
    spans = found.review.sessions
    first_ns = since_ns(since, spans[-1].ended_ns if spans else 0)
    late = [span.epoch for span in spans if span.ended_ns >= first_ns]
    recorded = [epoch for epoch in late if epoch in found.recorded]
    reviewed = settled(found.review, {epoch: _marks(found, epoch) for epoch in recorded})
    notes = list(_notes(found, reviewed, len(late) - len(recorded)))
    replays: list[Replayed] = []
    for epoch in recorded if is_replayed else []:
        replays.append(replayed(found, reviewed, found.recorded[epoch]))
        notes += replays[-1].notes
    known = found.instruments()
    scope = Scope(
        reviewed=reviewed, known=known, recorded=recorded, since_ns=first_ns, replays=replays
    )
    return scope, list(dict.fromkeys(notes))


def _marks(found: Found, epoch: int) -> dict[str, Marks]:
    data = data_for(found.recorded[epoch])
    return recorded_marks(data, shown(data.facts(), f"facts, mids of session {epoch}"))


def _notes(found: Found, reviewed: Reviewed, unrecorded: int) -> Iterator[str]:
    if not found.review.sessions:
        yield "the journal holds nothing to review yet"
    if unrecorded:
        yield (
            f"{unrecorded} sessions were not recorded: no counterfactual for them, and their "
            "markouts are judged by the mids that decisions looked at"
        )
    if missing := [m for m in reviewed.instruments if m not in found.instruments()]:
        yield f"no recording says the tick of {', '.join(missing)}: money is in ticks x lots"
    if any(epoch.row for epoch in reviewed.epochs):
        yield "spread and profit are against the mids that decisions looked at, before fees"
    elif reviewed.epochs:
        yield "no playbook ruled: each session is one epoch"


# --- draft and page -----------------------------------------------------------------------------


def _drafted(found: Found, scope: Scope, market: str, file: Path) -> Draft:
    """Write the draft for one market. Raises UserError where none can be made."""
    ruled = dict.fromkeys(epoch.market for epoch in scope.epochs() if epoch.row)
    if market and market not in ruled:
        known = ", ".join(ruled) or "none"
        raise UserError(
            f"--market {market[:60]}: no playbook ruled it; those that one did: {known}"
        )
    if not market and len(ruled) != 1:
        known = ", ".join(ruled) or "no market had a playbook"
        raise UserError(f"--draft: --market must name one of: {known}")
    chosen = market or next(iter(ruled))
    word = latest_playbook(found, chosen)
    if word is None:
        raise UserError(f"--draft: the playbook of {chosen} is not to be found; name its config")
    if file.exists() and file.resolve() == Path(word.name).resolve():
        raise UserError(f"--draft {file}: that is the playbook itself; name another file")
    first = draft(word.text, word.name, _evidence(scope, chosen))
    text, final = drafted(word.text, word.name, first)
    _write(file, text)
    return final


def _evidence(scope: Scope, market: str) -> Evidence:
    epochs = scope.epochs(market)
    changes = [
        change
        for change in scope.reviewed.changes
        if change.market == market and change.at_ns >= scope.since_ns
    ]
    return Evidence(
        scores=scope.row_scores(market),
        changes=changes,
        overrides=by_row(scope.overrides(), market),
        decisions=dict(Counter(epoch.row for epoch in epochs)),
        marks=scope.reviewed.marks[market],
        ended_ns=max((epoch.ended_ns for epoch in epochs), default=0),
    )


def _draft_lines(written: Draft) -> list[str]:
    lines = ["draft:"]
    for change in written.changes:
        where = f'"{change.row}"' if change.row else "rules"
        path = ".".join(change.path)
        lines.append(f"  {change.rule}, {where}: {path} {change.before:g} -> {change.after:g}")
        lines.append(f"    {change.evidence}")
    return [*lines, *(f"  {note}" for note in written.notes)]


def _pictures(scope: Scope) -> str:
    """Drawing takes a second to import, so only a page pays for it; without it there is text."""
    try:
        pictures = import_module("engine.cli.review_pictures")
    except ModuleNotFoundError:
        return '<p class="note">No pictures: pip install "ballast[research]"</p>'
    drawn: str = pictures.drawn(scope)
    return drawn


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file}: cannot be written: {error.strerror}") from error
