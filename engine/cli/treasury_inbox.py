"""`ballast treasury inbox` and `carry-out`: what waits at a desk, and doing what is allowed."""

from pathlib import Path
from typing import Annotated, Any

import typer

from engine.cli.show import as_json, as_text
from engine.cli.treasury_desk import (
    DEFAULT_DESK,
    At,
    Desk,
    FactsFlag,
    Json,
    TreasuryFileFlag,
    deliver,
    inbox_of,
    on_desk,
)
from engine.cli.treasury_propose import answer_line
from engine.runtime.action_answers import proposal_answer
from engine.runtime.action_driver import ActionDriver
from engine.runtime.action_files import load_word
from engine.runtime.paper_place import PaperPlace


def inbox(
    take: Annotated[
        list[Path] | None, typer.Option("--take", help="A signed word in a file; repeatable.")
    ] = None,
    at: At = DEFAULT_DESK,
    file: TreasuryFileFlag = None,
    facts: FactsFlag = None,
    every: Annotated[bool, typer.Option("--all", help="Also what has ended.")] = False,
    json: Json = False,
) -> None:
    """Hand in signed words, then show what waits, what is out, and every alarm.

    Exit code 1 where a word was refused.
    """
    words = [load_word(path) for path in take or []]
    desk = Desk(at=at, file=file, facts=facts)
    answers = deliver(desk, words) if words else []
    found = inbox_of(desk, is_all=every)
    if json:
        as_json({**found, "taken": answers})
    else:
        as_text(*(answer_line(answer) for answer in answers), *inbox_lines(found))
    if not all(answer["ok"] for answer in answers):
        raise typer.Exit(1)


def carry_out(
    paper: Annotated[Path, typer.Option("--paper", help="Where what is done is written down.")],
    at: At = DEFAULT_DESK,
    file: TreasuryFileFlag = None,
    facts: FactsFlag = None,
    json: Json = False,
) -> None:
    """Do what is allowed, on paper: no venue hears of it. What was out is asked about first."""

    async def act(driver: ActionDriver) -> list[dict[str, Any]]:
        before = {one.name for one in driver.desk.unresolved()}
        begun = {begin.name for begin in await driver.carry_out()}
        return [proposal_answer(driver.desk.proposals[n], driver.desk) for n in before | begun]

    place = PaperPlace(paper)
    done = on_desk(Desk(at=at, file=file, facts=facts, place=place), act)
    if json:
        as_json({"done": done})
        return
    as_text(*(f"{one['name']}: {one['status']}; {one['what']}" for one in done))
    if not done:
        as_text("nothing was allowed and not yet done")


def inbox_lines(found: dict[str, Any]) -> list[str]:
    """An inbox for people: each proposal with its conversion, what waits, what is off, alarms."""
    lines = []
    conversions = {one["parent"]: one for one in found.get("conversions", [])}
    for one in found["proposals"]:
        worth = f"{one['worth']} {one['money']}" if one["worth"] else "of unknown worth"
        needs = f", needs {' and '.join(one['needs'])}" if one["needs"] else ""
        lines.append(f'{one["name"]}: {one["status"]}{needs}; row "{one["row"]}" ({one["tier"]})')
        lines.append(f"  {one['what']}, {worth}, until {one['expires']}")
        work = next((each for key, each in conversions.items() if _is_of(key, one)), None)
        lines += [] if work is None else [f"  {_progress(work)}"]
        if one["status"] in ("failed", "rejected", "unknown") and one["why"]:
            lines.append(f"  {one['status']}: {one['why']}")
    lines = [*filter(None, [found.get("note", "")]), *(lines or ["nothing waits"])]
    lines += [_progress(each) for key, each in conversions.items()
              if not any(_is_of(key, one) for one in found["proposals"])]  # fmt: skip
    for one in found.get("on_chain", []):
        lines.append(f"on the chain of {one['place']}: {one['name']} {one['is']}")
    for one in found.get("widenings", []):
        lines.append(f"waits to be proposed (--json has the action): widen {one['limit']}")
    for one in found.get("switches", []):
        what = f"{one['scope']} {one['name']}".rstrip()
        lines.append(f"STOPPED: {what}, by {one['who']}: {one['reason']}")
    return lines + [f"{alarm['level'].upper()}: {alarm['text']}" for alarm in found["alarms"]]


def _is_of(parent: str, proposal: dict[str, Any]) -> bool:
    """A conversion is named by the digest that people signed."""
    return str(proposal["digest"]).startswith(parent)


def _progress(one: dict[str, Any]) -> str:
    share = 100 * one["done_atoms"] / one["atoms"]
    why = one["waits"] or one["why"]
    return f"conversion {one['parent']}: {one['state']}, {share:.1f} % done{why and f'; {why}'}"
