"""`ballast review`: what a playbook's decisions led to, against what else might have been done."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engine.cli.operate import DEFAULT_DIRECTORY
from engine.cli.progress import shown
from engine.cli.review_answer import Scope, answer_of
from engine.cli.review_data import Found, data_for, found_at, recorded_marks, settled, since_ns
from engine.cli.review_draft import chosen, proposals
from engine.cli.review_lines import lines_of
from engine.cli.review_page import page_of
from engine.cli.review_runs import Replayed, replayed
from engine.cli.show import as_json, as_text
from engine.runtime.recording import Session
from engine.sim.epochs import Marks
from engine.sim.outcomes import Reviewed
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
    made = proposals(found, scope)
    answer = {"data_dir": str(found.home), **answer_of(scope)}
    answer["proposals"] = {name: msgspec.to_builtins(each.draft) for name, each in made.items()}
    answer["draft"] = None
    if draft_file is not None:
        name = chosen(made, market, draft_file)
        _write(draft_file, made[name].text)
        answer["draft"] = {"file": str(draft_file), "market": name}
        changed = len(made[name].draft.changes)
        notes.append(f"{draft_file}: a draft, {changed} numbers changed; not applied")
    answer["notes"] = notes
    if html is not None:
        _write(html, page_of(answer, _pictures(scope)))
        notes.append(f"{html}: the whole review as a page")
    if json:
        as_json(answer)
        return
    as_text(*lines_of(answer), *(f"note: {note}" for note in notes))


def _scope(found: Found, since: str, *, is_replayed: bool) -> tuple[Scope, list[str]]:
    """The review, what was lived again of it, and what is missing to it."""
    spans = found.review.sessions
    first_ns = since_ns(since, spans[-1].ended_ns if spans else 0)
    late = [span.epoch for span in spans if span.ended_ns >= first_ns]
    recorded = {epoch: found.recorded[epoch] for epoch in late if epoch in found.recorded}
    marks, damaged = _marks(recorded)
    reviewed = settled(found.review, marks)
    notes = [*_notes(found, reviewed, len(late) - len(recorded)), *damaged]
    replays: list[Replayed] = []
    for epoch in marks if is_replayed else ():
        replays.append(replayed(found, reviewed, recorded[epoch]))
        notes += replays[-1].notes
    scope = Scope(
        reviewed=reviewed,
        known=found.instruments,
        policy_ns=found.policy_ns,
        recorded=list(marks),
        since_ns=first_ns,
        replays=replays,
    )
    return scope, list(dict.fromkeys(notes))


def _marks(recorded: dict[int, Session]) -> tuple[dict[int, dict[str, Marks]], list[str]]:
    """The mids of each session that can be read to its end, and why others cannot."""
    found, notes = {}, []
    for epoch, session in recorded.items():
        try:
            data = data_for(session)
            facts = shown(data.facts(), f"facts, mids of session {epoch}")
            found[epoch] = recorded_marks(data, facts)
        except UserError as error:
            notes.append(f"session {epoch} is not replayed: {error}")
    return found, notes


def _notes(found: Found, reviewed: Reviewed, unrecorded: int) -> Iterator[str]:
    yield from found.problems
    if not found.review.sessions:
        yield "the journal holds nothing to review yet"
    if unrecorded:
        yield (
            f"{unrecorded} sessions were not recorded or cannot be read: no counterfactual for "
            "them, and their markouts are judged by the mids that decisions looked at"
        )
    if missing := [m for m in reviewed.instruments if m not in found.instruments]:
        yield f"nothing says the tick of {', '.join(missing)}: money is in ticks x lots"
    if any(epoch.row for epoch in reviewed.epochs):
        yield "spread and profit are at the mids that decisions looked at, before fees"
    elif reviewed.epochs:
        yield "no playbook ruled: each session is one epoch"


# --- page ---------------------------------------------------------------------------------------


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
