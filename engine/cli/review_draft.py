"""What a review proposes for each playbook, and the one file that it writes where it is asked."""

from collections import Counter
from pathlib import Path

import msgspec

from engine.cli.review_answer import Scope
from engine.cli.review_data import Found, latest_playbook
from engine.sim.drafts import Draft, Evidence, draft, drafted
from engine.values.errors import UserError

NOT_FOUND = "the playbook is not to be found, so nothing is proposed; name its config with --at"


class Proposal(msgspec.Struct, frozen=True):
    """A draft of one market's playbook. `text` is "" where there is no playbook to draft from."""

    name: str
    text: str
    draft: Draft


def proposals(found: Found, scope: Scope) -> dict[str, Proposal]:
    """By market, of those that a playbook ruled."""
    ruled = dict.fromkeys(epoch.market for epoch in scope.epochs() if epoch.row)
    return {market: _proposal(found, scope, market) for market in ruled}


def chosen(made: dict[str, Proposal], market: str, file: Path) -> str:
    """Whose draft goes into `file`. Raises UserError where that is not clear or not possible."""
    known = ", ".join(made) or "none"
    if market and market not in made:
        raise UserError(
            f"--market {market[:60]}: no playbook ruled it; those that one did: {known}"
        )
    if not market and len(made) != 1:
        raise UserError(f"--draft: --market must name one of: {known}")
    name = market or next(iter(made))
    if not made[name].text:
        raise UserError(f"--draft: the playbook of {name} is not to be found; name its config")
    if file.exists() and file.resolve() == Path(made[name].name).resolve():
        raise UserError(f"--draft {file}: that is the playbook itself; name another file")
    return name


def _proposal(found: Found, scope: Scope, market: str) -> Proposal:
    word = latest_playbook(found, market)
    if word is None:
        return Proposal("", "", Draft(changes=[], notes=[NOT_FOUND]))
    first = draft(word.text, word.name, _evidence(scope, market))
    text, final = drafted(word.text, word.name, first)
    return Proposal(word.name, text, final)


def _evidence(scope: Scope, market: str) -> Evidence:
    epochs, overrides = scope.epochs(market), scope.overrides()
    return Evidence(
        scores=scope.row_scores(market),
        changes=scope.changes(market),
        overrides=Counter(each.row for each in overrides if each.market == market),
        decisions=dict(Counter(epoch.row for epoch in epochs)),
        marks=scope.reviewed.marks[market],
        ended_ns=max((epoch.ended_ns for epoch in epochs), default=0),
        replay_error_atoms=scope.replay_error(market),
    )
