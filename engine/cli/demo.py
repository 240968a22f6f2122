"""`ballast demo`: a thin market, an engine that quotes it, and the proof that the books agree."""

import asyncio
import signal
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
import uvloop
from rich.console import Console
from rich.live import Live as Screen

from engine.cli.assemble import quiet_logging, running
from engine.cli.audit import Account, Audit, audit
from engine.cli.demo_venue import DemoVenue, open_venue
from engine.cli.loading import load_all, venue_options
from engine.cli.show import as_json
from engine.cli.start import BROKEN, LEFT_AT_ONCE, LEFT_OPEN, tell_alert
from engine.cli.tables import best_text, pnl_text, status_view
from engine.runtime.config import Config, load_config, with_urls
from engine.runtime.journal_reader import read, verify
from engine.runtime.live import Ending, Live
from engine.runtime.lock import DataLock
from engine.runtime.operating import Operating
from engine.runtime.redaction import Redactor
from engine.values.errors import UserError

VENUE_NAME = "loopback"
SHOW_EVERY_S = 0.5
LINE_EVERY = 20
DEFAULT_CONFIG = Path("configs/demo.toml")


class Show:
    """Ends the run when its time is up and, on a terminal, draws it while it lasts."""

    def __init__(self, seconds: float, redactor: Redactor, *, is_quiet: bool) -> None:
        self.redactor = redactor
        self._seconds = seconds
        self.is_quiet = is_quiet

    async def follow(self, live: Live, operating: Operating) -> None:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._seconds
        console = Console(stderr=True)
        is_drawn = console.is_terminal and not self.is_quiet
        with Screen(console=console, auto_refresh=False) if is_drawn else nullcontext() as screen:
            while loop.time() < ends_at:
                await asyncio.sleep(min(SHOW_EVERY_S, max(0.0, ends_at - loop.time())))
                if screen is not None:
                    screen.update(status_view(operating.status()), refresh=True)
                elif not self.is_quiet and (left_s := ends_at - loop.time()) > 0:
                    self._say(operating.status(), left_s)
        live.stop("the demo's clock")

    def _say(self, status: dict[str, Any], left_s: float) -> None:
        """Where there is no terminal: one line every ten seconds."""
        if round(left_s / SHOW_EVERY_S) % LINE_EVERY:
            return
        for market in status["markets"]:
            text = (
                f"{left_s:4.0f} s left  {market['state']:<8} {best_text(market['bid'])} | "
                f"{best_text(market['ask'])}  orders {len(market['orders'])}  "
                f"fills {market['fills']}  inventory {market['position']}  pnl {pnl_text(market)}"
            )
            typer.echo(text, err=True)


def demo(
    seconds: Annotated[float, typer.Option(min=1.0, help="How long to quote.")] = 60.0,
    seed: Annotated[int, typer.Option(help="Seed of the market's traders.")] = 7,
    config: Annotated[Path, typer.Option(help="What to run.")] = DEFAULT_CONFIG,
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """Quote a thin BTT/USDT market on a loopback venue: no keys, no network.

    Killed in the middle? Start it again: it finds its venue, recovers and goes on.
    """
    show = Show(seconds, Redactor(), is_quiet=json)
    quiet_logging(show.redactor)
    # Until the engine takes signals itself, SIGTERM unwinds like Ctrl-C, and the venue is ended;
    # Ctrl-C does so in the background of a script too, where a shell would have it ignored.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    loaded = _checked(config)
    with DataLock(loaded.data_path, is_beside=True):
        _refuse_an_engine(loaded.data_path)
        summary = _quoted(loaded, str(config), show, seed)
    if json:
        as_json(summary)
    else:
        typer.echo(_summary_text(summary))
    raise typer.Exit(0 if summary["clean"] else LEFT_OPEN)


def _quoted(loaded: Config, name: str, show: Show, seed: int) -> dict[str, Any]:
    """One demo from its venue's start to its venue's end."""
    venue = open_venue(loaded.data_path, "btt-thin,liquid", seed)
    try:
        return uvloop.run(_run(_aimed(loaded, venue), name, venue, show))
    except UserError as error:
        raise type(error)(show.redactor.redact(str(error))) from None
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 the last line: no secret leaves
        sys.stderr.write(show.redactor.traceback(error))
        raise typer.Exit(BROKEN) from None
    except asyncio.CancelledError:
        typer.echo(LEFT_AT_ONCE, err=True)
        raise typer.Exit(LEFT_OPEN) from None
    finally:
        venue.stop()


def _checked(path: Path) -> Config:
    """The config, if all of it is right. A mistake in it must not cost a venue or a journal."""
    config = load_config(path)
    load_all(config, str(path))
    venue_options(config, str(path))
    return config


def _refuse_an_engine(directory: Path) -> None:
    """Raise UserError where one runs that is no demo: its journal would be moved away."""
    if directory.exists():
        DataLock(directory).release()


def _aimed(config: Config, venue: DemoVenue) -> Config:
    """The demo's config, pointed at its venue and at the key that the venue made."""
    aimed = with_urls(config, VENUE_NAME, venue.urls)
    venues = [msgspec.structs.replace(item, key_file=str(venue.key_path)) for item in aimed.venues]
    return msgspec.structs.replace(aimed, venues=venues)


async def _run(config: Config, name: str, venue: DemoVenue, show: Show) -> dict[str, Any]:
    """Quote for the time asked, stop in order, and hold the journal against the venue."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, signal.raise_signal, signal.SIGINT)
    async with running(config, name, show.redactor) as live:
        if not show.is_quiet:
            live.on_alert(partial(tell_alert, show.redactor))
        operating = Operating(live, config.name, config.mode.value)
        narrator = asyncio.create_task(show.follow(live, operating), name="show")
        ending = await live.run()
        narrator.cancel()
        status = operating.status()
        maker = next(iter(live.engine.makers.values()))
        instrument = maker.quoter.setup.instrument
    key = venue.key()
    account = Account(venue.urls["private"], key["api_key"], key["secret"])
    found = audit(config.journal_path, instrument, account)
    return _summary(status, ending, found, config.journal_path)


def _summary(status: dict[str, Any], ending: Ending, found: Audit, journal: Path) -> dict[str, Any]:
    market = status["markets"][0]
    proved = verify(journal)
    checks = {
        "journal": not proved.problem,
        "books": market["compared"] == market["matched"],
        "audit": found.is_clean,
        "ending": ending.open_orders == 0,
    }
    return {
        "quotes": sum(1 for _ in read(journal, kinds=("OrderIntent",))),
        "fills": found.fills,
        "spread_earned": market["spread_earned"],
        "pnl": market["pnl"],
        "inventory": market["position"],
        "open_orders": found.open_orders,
        "position_difference": found.position_difference,
        "money_difference": found.money_difference,
        "fills_missing": found.fills_missing,
        "fills_invented": found.fills_invented,
        "book_compared": market["compared"],
        "book_matched": market["matched"],
        "journal_records": proved.records,
        "sessions": proved.epochs,
        "checks": checks,
        "clean": all(checks.values()),
        "journal": str(journal),
    }


def _summary_text(summary: dict[str, Any]) -> str:
    rows = [(name, value) for name, value in summary.items() if name not in ("checks", "clean")]
    lines = [f"  {name.replace('_', ' '):<20} {value}" for name, value in rows]
    broken = [name for name, is_fine in summary["checks"].items() if not is_fine]
    verdict = f"BROKEN: {', '.join(broken)}" if broken else "everything adds up"
    return "\n".join(["demo: " + verdict, *lines])
