"""A draft of threshold changes from a review: small stated rules, each with its numbers.

A draft is a playbook file beside the present one. It is never applied: a person reads the evidence,
proves and compares it with `ballast playbook`, and loads it or does not.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import tomlkit

from engine.sim.counterfactual import RowScore
from engine.sim.epochs import Marks
from engine.sim.overrides import RatingChange, Verdict
from engine.trading.playbook_file import load_playbook
from engine.trading.posture import AS_IT_IS
from engine.trading.rules import FACTORS_MOST, VOTES_MOST
from engine.values.errors import UserError
from engine.values.units import NS_PER_S, Atoms, Ns

SAMPLES_MIN = 10
"""Fewer decisions, rating changes or days say nothing about a rule."""
SHARE_MIN = 0.5
OVERRIDES_MIN = 3
OVERRIDES_SHARE = 0.25
SLOWER, FASTER = 1.5, 2 / 3
RULES = (
    f"too costly: of at least {SAMPLES_MIN} decisions for a row half or more earned less than each "
    "counterfactual, and all together did: its quotes go half way back to the strategy's own",
    "nor from a cost that is less than what the replay as it was misses of what happened",
    f"too sensitive: of at least {SAMPLES_MIN} rating changes that ruled half or more were taken "
    "back within persistence_s: one vote more, persistence_s half as long again",
    f"too slow: of at least {SAMPLES_MIN} buys and sells half or more moved the market their way "
    "within persistence_s and not after it: persistence_s a third shorter, one factor more",
    f"overruled: at least {OVERRIDES_MIN} words of people, one for each 4 decisions for a row: "
    "a row to talk about; no number follows",
)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One number that the evidence speaks against. `row` "" is the table `[rules]`."""

    row: str
    path: tuple[str, ...]
    before: float
    after: float
    rule: str
    evidence: str


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """`notes` say what was looked at without a change, and why not."""

    changes: list[Change]
    notes: list[str]


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What a draft is made from, of one market. `scores` is empty where nothing was replayed.

    `replay_error_atoms`: what replays as it was missed of the real profit; None where unknown.
    """

    scores: Sequence[RowScore]
    changes: Sequence[RatingChange]
    overrides: dict[str, int]
    decisions: dict[str, int]
    marks: Marks
    ended_ns: Ns
    replay_error_atoms: Atoms | None


def draft(text: str, name: str, evidence: Evidence) -> Draft:
    """What follows for the playbook in `text`. Raises UserError where that is none."""
    load_playbook(text, name)
    table = tomlkit.parse(text).unwrap()
    changes: list[Change] = []
    notes: list[str] = []
    for score in evidence.scores:
        _costly(score, table, evidence.replay_error_atoms, (changes, notes))
    if not evidence.scores:
        notes.append("too costly: nothing was replayed, so no row was scored")
    _clock(table["rules"], evidence, changes, notes)
    notes += _followed(evidence)
    notes += _overruled(evidence)
    return Draft(changes=changes, notes=notes)


def drafted(text: str, name: str, found: Draft) -> tuple[str, Draft]:
    """The draft as TOML with its evidence in comments, and what of it a playbook can hold.

    A change that would make the playbook unfit to run is left out and becomes a note.
    """
    kept: list[Change] = []
    notes = list(found.notes)
    for group in _groups(found.changes):
        try:
            load_playbook(_edited(text, [*kept, *group]), name)
        except UserError as error:
            why = str(error).splitlines()[0].removeprefix(f"{name}: ")
            notes.append(f"left out, {group[0].rule}, {group[0].row or 'rules'}: {why}")
        else:
            kept += group
    final = Draft(changes=kept, notes=notes)
    return _head(name, final) + _edited(text, kept), final


# --- rules --------------------------------------------------------------------------------------


def _costly(
    score: RowScore,
    table: dict[str, Any],
    error: Atoms | None,
    told_to: tuple[list[Change], list[str]],
) -> None:
    changes, notes = told_to
    row = _row_of(table, score.row)
    sums = ", ".join(f"{atoms:+d} against {way}" for way, atoms in score.own_atoms.items())
    told = (
        f"{score.costly} of {score.decisions} decisions earned less than each counterfactual; "
        f"together {sums or 'nothing'} (quote atoms)"
    )
    if score.decisions < SAMPLES_MIN:
        few = f"too little evidence ({score.decisions} of {SAMPLES_MIN} decisions)"
        notes.append(f'too costly: "{score.row}": {few}; {told}')
    elif row is None:
        notes.append(f'too costly: "{score.row}" is no row of this playbook; {told}')
    elif score.costly < SHARE_MIN * score.decisions or max(score.own_atoms.values()) >= 0:
        notes.append(f'too costly: "{score.row}": no; {told}')
    elif error is None or -max(score.own_atoms.values()) <= error:
        missed = "an unknown part" if error is None else f"{error}"
        few = f"too little evidence (the replay itself misses {missed} of what happened)"
        notes.append(f'too costly: "{score.row}": {few}; {told}')
    else:
        changes += _half_way(row, told)


def _half_way(row: dict[str, Any], told: str) -> Iterator[Change]:
    for key, own in msgspec.structs.asdict(AS_IT_IS.quotes).items():
        before = float(row["quotes"][key])
        if before != own:
            yield Change(
                row=row["name"],
                path=("quotes", key),
                before=before,
                after=round((before + own) / 2, 4),
                rule="too costly",
                evidence=told,
            )


def _clock(
    rules: dict[str, Any], evidence: Evidence, changes: list[Change], notes: list[str]
) -> None:
    """Too sensitive or too slow: never both at once."""
    persistence_ns = int(rules["persistence_s"] * NS_PER_S)
    backs, ended = taken_back(evidence.changes, persistence_ns)
    early, judged = moved_before(evidence, persistence_ns)
    sensitive = ended >= SAMPLES_MIN and backs >= SHARE_MIN * ended
    slow = judged >= SAMPLES_MIN and early >= SHARE_MIN * judged
    fast_told = f"{backs} of {ended} rating changes were taken back within persistence_s"
    slow_told = f"{early} of {judged} buys and sells were over within persistence_s"
    if sensitive and slow:
        notes.append(f"too sensitive and too slow at once, so neither: {fast_told}; {slow_told}")
    elif sensitive:
        changes += _paced(rules, SLOWER, ("votes_min", VOTES_MOST), ("too sensitive", fast_told))
    elif slow:
        top = "confirmations_min", FACTORS_MOST
        changes += _paced(rules, FASTER, top, ("too slow", slow_told))
    else:
        for rule, told, count in (
            ("too sensitive", fast_told, ended), ("too slow", slow_told, judged),
        ):  # fmt: skip
            few = f"too little evidence ({count} of {SAMPLES_MIN} samples)"
            notes.append(f"{rule}: {few if count < SAMPLES_MIN else 'no'}; {told}")


def _paced(
    rules: dict[str, Any], pace: float, more: tuple[str, int], why: tuple[str, str]
) -> Iterator[Change]:
    key, most = more
    for name, after in (
        ("persistence_s", round(rules["persistence_s"] * pace, 1)),
        (key, min(most, rules[key] + 1)),
    ):
        if after != rules[name]:
            yield Change(
                row="",
                path=(name,),
                before=rules[name],
                after=after,
                rule=why[0],
                evidence=why[1],
            )


def taken_back(changes: Iterable[RatingChange], within_ns: Ns) -> tuple[int, int]:
    """(labels that ruled and were another so soon, labels that ruled and became another)."""
    ended = [each for each in changes if each.ended_ns and each.was_heard]
    held = [each.ended_ns - each.at_ns for each in ended]
    return sum(ns < within_ns for ns in held), len(held)


def moved_before(evidence: Evidence, within_ns: Ns) -> tuple[int, int]:
    """(buys and sells whose move came before they counted and not after, all that are judged)."""
    early = judged = 0
    for change in evidence.changes:
        sign, due_ns = change.sign, change.at_ns + 2 * within_ns
        is_known = change.was_heard and change.mid_half_ticks and due_ns <= evidence.ended_ns
        if not sign or not is_known:
            continue
        judged += 1
        acted = evidence.marks.at(change.at_ns + within_ns)
        first, second = acted - change.mid_half_ticks, evidence.marks.at(due_ns) - acted
        early += sign * first > 0 and sign * second <= 0
    return early, judged


def _followed(evidence: Evidence) -> Iterator[str]:
    """False positives are told beside the rules; a number that follows is for people to find."""
    judged = [each for each in evidence.changes if each.verdict is not Verdict.NONE]
    wrong = sum(each.verdict is Verdict.FALSE for each in judged)
    few = "" if len(judged) >= SAMPLES_MIN else "too little evidence: "
    yield f"false positives: {few}the market did not follow {wrong} of {len(judged)} buys and sells"


def _overruled(evidence: Evidence) -> Iterator[str]:
    for row, count in evidence.overrides.items():
        decisions = evidence.decisions.get(row, 0)
        if count >= OVERRIDES_MIN and count >= OVERRIDES_SHARE * decisions:
            name = row or "(no row)"
            yield (
                f'overruled: "{name}": {count} words of people in {decisions} decisions: the rules '
                "do not match what the desk does here"
            )


# --- the file -----------------------------------------------------------------------------------


def _row_of(table: Any, name: str) -> Any:
    rows = [*table["rows"], table["default"]]
    return next((row for row in rows if row["name"] == name), None)


def _groups(changes: Iterable[Change]) -> list[list[Change]]:
    """Those of one rule and row stand or fall together."""
    groups: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        groups.setdefault((change.rule, change.row), []).append(change)
    return list(groups.values())


def _edited(text: str, changes: Iterable[Change]) -> str:
    """The text with those numbers changed; its comments and order stay."""
    document = tomlkit.parse(text)
    for change in changes:
        place: Any = _row_of(document, change.row) if change.row else document["rules"]
        for key in change.path[:-1]:
            place = place[key]
        is_count = isinstance(place[change.path[-1]], int) and change.after == int(change.after)
        place[change.path[-1]] = int(change.after) if is_count else change.after
    return tomlkit.dumps(document)


def _head(name: str, found: Draft) -> str:
    lines = [f"DRAFT of {name}, never applied by itself. Prove it: ballast playbook check."]
    if not found.changes:
        lines.append("Nothing is changed: the evidence asks for nothing, or there is too little.")
    for group in _groups(found.changes):
        where = f'row "{group[0].row}"' if group[0].row else "rules"
        numbers = ", ".join(f"{'.'.join(c.path)} {c.before:g} -> {c.after:g}" for c in group)
        lines += [f"CHANGED, {group[0].rule}, {where}: {numbers}", f"  {group[0].evidence}"]
    lines += [f"Seen: {note}" for note in found.notes]
    lines += [f"Rule: {rule}." for rule in RULES]
    return "".join(f"# {' '.join(line.splitlines())}\n" for line in lines) + "\n"
