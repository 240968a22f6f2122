"""`ballast playbook load` and `what-if`: a playbook and the engine that runs by one."""

from typing import Annotated, Any

import typer

from engine.cli.operate import DEFAULT_DIRECTORY, Json, Symbol, Where, ask
from engine.cli.playbook import File, playbook_of
from engine.cli.show import as_json, as_text
from engine.cli.tables import question_lines, quote_line
from engine.runtime.person_file import read_text

Given = Annotated[str | None, typer.Option(help="As it is, if left out.")]


def load(
    file: File, symbol: Symbol = "", at: Where = DEFAULT_DIRECTORY, json: Json = False
) -> None:
    """Load FILE into a running engine: whole, proved, and journaled with its hash and your name."""
    playbook = playbook_of(file)
    answer = ask(at, "playbook", symbol=symbol, name=str(file), text=read_text(file))
    if json:
        as_json(answer)
        return
    as_text(f"{file}: {playbook.digest[:12]} is in force")
    for market in answer["markets"]:
        told = market["playbook"]
        as_text(f"  {market['market']}: row {told.get('row', 'not ruled yet')!r}")


def what_if(
    symbol: Symbol = "",
    rating: Given = None,
    btc: Given = None,
    inventory: Annotated[str | None, typer.Option(help="In the base asset, as 250000000.")] = None,
    at: Where = DEFAULT_DIRECTORY,
    json: Json = False,
) -> None:
    """The ladder, the hedge and the limits that a running engine would choose. Sends nothing."""
    answer = ask(at, "what-if", symbol=symbol, rating=rating, btc=btc, inventory=inventory)
    if json:
        as_json(answer)
        return
    for market in answer["markets"]:
        as_text(*_lines(market))


def _lines(market: dict[str, Any]) -> list[str]:
    given = {name: value for name, value in market["supposed"].items() if value is not None}
    said = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in given.items())
    lines = [f"{market['market']}: {market['state']} now; supposing {said or 'nothing new'}"]
    lines += ["  at once", *_outcome(market["at_once"])]
    settled = market["settled"]
    if not settled["after_s"]:
        return [*lines, "  and time alone changes nothing of that"]
    return [*lines, f"  if it stays so, after {settled['after_s']:.0f} s", *_outcome(settled)]


def _outcome(told: dict[str, Any]) -> list[str]:
    lines = [f"  {line}" for line in question_lines(told)]
    for name in ("bids", "asks"):
        lines += [f"    {name[:-1]} {quote_line(quote)}" for quote in told[name]]
        if not told[name]:
            lines.append(f"    {name}: none: {told[f'{name}_absent']}")
    limits, hedge = told["limits"], told["hedge"]
    lines.append(
        f"    limits: bids may add {limits['bids_may_add']}, to {limits['worst_position']} at"
        f" worst ({limits['because']}); stops at {limits['stops_share']:.0%}"
    )
    cover = f": cover {hedge['target']}, change {hedge['change']}" if "target" in hedge else ""
    return [*lines, f"    hedge: {hedge['stance']}{cover}; {hedge['why']}"]
