"""`ballast run`: quote the markets of a config until told to stop."""

import asyncio
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from engine.cli.assemble import quiet_logging, running
from engine.cli.show import as_json
from engine.runtime.config import Config, load_config, require_consent
from engine.runtime.live import Ending, Live
from engine.runtime.redaction import Redactor
from engine.values.errors import UserError
from engine.values.records import Alert

LEFT_OPEN = 1
BROKEN = 70
LEFT_AT_ONCE = "left at once, as asked twice; orders may be open at the venue: look there"


def run(
    config: Annotated[Path, typer.Argument(help="A config file, as in configs/.")],
    live: Annotated[bool, typer.Option("--live", help="Real money: the file must say so too.")] = (
        False
    ),
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """Quote the markets of CONFIG until SIGTERM, Ctrl-C or `ballast stop`."""
    loaded = load_config(config)
    require_consent(loaded, is_live_flag=live)
    redactor = Redactor()
    quiet_logging(redactor)
    try:
        ending = uvloop.run(_run(loaded, str(config), redactor))
    except UserError as error:
        raise type(error)(redactor.redact(str(error))) from None
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 the last line: no secret leaves
        sys.stderr.write(redactor.traceback(error))
        raise typer.Exit(BROKEN) from None
    except asyncio.CancelledError:
        typer.echo(LEFT_AT_ONCE, err=True)
        raise typer.Exit(LEFT_OPEN) from None
    if json:
        as_json({"open_orders": ending.open_orders, "reason": ending.reason})
    else:
        typer.echo(ending_text(ending))
    raise typer.Exit(0 if ending.open_orders == 0 else LEFT_OPEN)


async def _run(config: Config, name: str, redactor: Redactor) -> Ending:
    async with running(config, name, redactor) as live:
        live.on_alert(partial(_tell, redactor))
        typer.echo(f"{config.name}: {config.mode}, control socket {config.socket_path}", err=True)
        watcher = asyncio.create_task(_narrate(live, redactor), name="narrator")
        ending = await live.run()
        watcher.cancel()
        return ending


def _tell(redactor: Redactor, alert: Alert) -> None:
    text = f"{alert.level.upper()} {alert.market}: {alert.text}"
    typer.echo(redactor.redact(text), err=True)


async def _narrate(live: Live, redactor: Redactor) -> None:
    """Say on standard error when a market changes its state: the least that a log must hold."""
    told: dict[str, tuple[str, str]] = {}
    while True:
        for market, maker in live.engine.makers.items():
            state = (maker.state[0].value, maker.state[1])
            if told.get(market) != state:
                told[market] = state
                text = f"{market}: {state[0]} {state[1]}".rstrip()
                typer.echo(redactor.redact(text), err=True)
        await asyncio.sleep(0.25)


def ending_text(ending: Ending) -> str:
    if ending.open_orders < 0:
        return f"{ending.reason}; the venue did not confirm what is open: look there"
    return f"{ending.reason}; open orders at the venue: {ending.open_orders}"
