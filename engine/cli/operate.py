"""Verbs that speak with a running engine: status, why, halt, resume, stop, rating."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from engine.cli.show import as_json
from engine.cli.tables import status_table, why_lines
from engine.cli.whereabouts import whereabouts
from engine.runtime.control import call
from engine.values.errors import UserError

ANSWER_S = 5.0
STOP_S = 30.0
DEFAULT_DIRECTORY = Path("var/demo")

Where = Annotated[
    Path, typer.Option("--at", help="A config, or the data directory of a running engine.")
]
Json = Annotated[bool, typer.Option("--json", help="One object on the last line.")]
Symbol = Annotated[str, typer.Argument(help="BTT/USDT, or BTT/USDT@venue; all if left out.")]
Reason = Annotated[str, typer.Option("--reason", help="Why: it goes into the journal.")]

rating_app = typer.Typer(name="rating", help="The technical rating of a market.")


def status(
    at: Where = DEFAULT_DIRECTORY,
    watch: Annotated[bool, typer.Option("--watch", help="Again each second.")] = False,
    json: Json = False,
) -> None:
    """Every market: state, book, orders, inventory, profit and loss."""
    while True:
        answer = ask(at, "status")
        if json:
            as_json(answer)
        else:
            if watch:
                Console().clear()
            status_table(answer)
        if not watch:
            return
        time.sleep(1.0)


def why(symbol: Symbol = "", at: Where = DEFAULT_DIRECTORY, json: Json = False) -> None:
    """Why each quote stands where it stands, and why a side is missing."""
    answer = ask(at, "why", symbol=symbol)
    if json:
        as_json(answer)
        return
    for market in answer["markets"]:
        typer.echo("\n".join(why_lines(market)))


def halt(
    reason: Reason, symbol: Symbol = "", at: Where = DEFAULT_DIRECTORY, json: Json = False
) -> None:
    """Pull the quotes and keep them away, over restarts too, until `resume`."""
    _say(ask(at, "halt", symbol=symbol, reason=reason), json)


def resume(
    reason: Reason, symbol: Symbol = "", at: Where = DEFAULT_DIRECTORY, json: Json = False
) -> None:
    """Let a halted or frozen market quote again, after it has been reconciled."""
    _say(ask(at, "resume", symbol=symbol, reason=reason), json)


def stop(at: Where = DEFAULT_DIRECTORY, json: Json = False) -> None:
    """Cancel everything, verify with the venue, end the engine."""
    answer = call(_socket(at), "stop", {}, STOP_S)
    if json:
        as_json(answer)
    elif answer["open_orders"] == 0:
        typer.echo("stopped; the venue confirms that nothing is open")
    else:
        typer.echo(f"stopped; open orders at the venue: {answer['open_orders']} (-1: no answer)")
    raise typer.Exit(0 if answer["open_orders"] == 0 else 1)


@rating_app.command("set")
def rating_set(
    symbol: Annotated[str, typer.Argument(help="BTT/USDT, or BTT/USDT@venue.")],
    label: Annotated[str, typer.Argument(help="strong-buy, buy, neutral, sell or strong-sell.")],
    ttl: Annotated[float, typer.Option(help="Seconds until it is stale and neutral.")] = 14_400.0,
    at: Where = DEFAULT_DIRECTORY,
    json: Json = False,
) -> None:
    """Tell a running engine the rating of a market."""
    _say(ask(at, "rating", symbol=symbol, label=label, ttl_s=ttl), json)


@rating_app.command("show")
def rating_show(symbol: Symbol = "", at: Where = DEFAULT_DIRECTORY, json: Json = False) -> None:
    """The rating that each market is quoted by, and its age."""
    markets = ask(at, "status")["markets"]
    wanted = [m for m in markets if m["market"].startswith(symbol)]
    found = {market["market"]: market["stance"] for market in wanted}
    if json:
        as_json(found)
        return
    for market, stance in found.items():
        age = f"{stance['age_s']:.0f} s old"
        typer.echo(f"{market}: {stance['label']} (was {stance['was']}, {age})")


def ask(at: Path, verb: str, **args: Any) -> dict[str, Any]:
    return call(_socket(at), verb, args, ANSWER_S)


def _say(answer: dict[str, Any], json: bool) -> None:
    if json:
        as_json(answer)
        return
    for market in answer["markets"]:
        typer.echo(f"{market['market']}: {market['state']} {market['reason']}".rstrip())


def _socket(at: Path) -> Path:
    if at == DEFAULT_DIRECTORY and not at.exists():
        raise UserError("name the engine: --at CONFIG or --at DATA_DIR")
    return whereabouts(at).socket
