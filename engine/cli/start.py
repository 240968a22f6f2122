"""The work of `ballast run`, without a parser of flags: a start counts in milliseconds."""

import asyncio
import sys
from functools import partial
from pathlib import Path

import uvloop

from engine.cli.assemble import quiet_logging, running
from engine.cli.show import as_json, as_text
from engine.runtime.config import Config, load_config, require_consent
from engine.runtime.live import Ending, Live
from engine.runtime.redaction import Redactor
from engine.values.errors import UserError
from engine.values.records import Alert

LEFT_OPEN = 1
BROKEN = 70
LEFT_AT_ONCE = "left at once, as asked twice; orders may be open at the venue: look there"


def start(config: Path, *, is_live: bool, is_json: bool) -> int:
    """Quote until told to stop, and return the exit code. Raises UserError."""
    loaded = load_config(config)
    require_consent(loaded, is_live_flag=is_live)
    redactor = Redactor()
    quiet_logging(redactor)
    try:
        ending = uvloop.run(_run(loaded, str(config), redactor))
    except UserError as error:
        raise type(error)(redactor.redact(str(error))) from None
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 the last line: no secret leaves
        sys.stderr.write(redactor.traceback(error))
        return BROKEN
    except asyncio.CancelledError:
        _say(LEFT_AT_ONCE)
        return LEFT_OPEN
    if is_json:
        as_json({"open_orders": ending.open_orders, "reason": ending.reason})
    else:
        as_text(ending_text(ending))
    return 0 if ending.open_orders == 0 else LEFT_OPEN


async def _run(config: Config, name: str, redactor: Redactor) -> Ending:
    async with running(config, name, redactor) as live:
        live.on_alert(partial(tell_alert, redactor))
        _say(f"{config.name}: {config.mode}, control socket {config.socket_path}")
        watcher = asyncio.create_task(_narrate(live, redactor), name="narrator")
        ending = await live.run()
        watcher.cancel()
        return ending


def tell_alert(redactor: Redactor, alert: Alert) -> None:
    """On standard error, without a secret."""
    text = f"{alert.level.upper()} {alert.market}".rstrip() + f": {alert.text}"
    _say(redactor.redact(text))


async def _narrate(live: Live, redactor: Redactor) -> None:
    """Say on standard error when a market changes its state: the least that a log must hold."""
    told: dict[str, tuple[str, str]] = {}
    while True:
        for market, maker in live.engine.makers.items():
            state = (maker.state[0].value, maker.state[1])
            if told.get(market) != state:
                told[market] = state
                text = f"{market}: {state[0]} {state[1]}".rstrip()
                _say(redactor.redact(text))
        await asyncio.sleep(0.25)


def ending_text(ending: Ending) -> str:
    if ending.open_orders < 0:
        return f"{ending.reason}; the venue did not confirm what is open: look there"
    return f"{ending.reason}; open orders at the venue: {ending.open_orders}"


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
