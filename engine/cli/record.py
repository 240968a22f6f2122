"""`ballast record`: the raw public frames of a config's markets, as they come; no key, no order."""

import asyncio
import signal
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.live import Live as Screen

from engine.cli.adapters import OpenVenue, adapter_of, options_of
from engine.cli.assemble import quiet_logging, read_instruments
from engine.cli.rate_venue import reached
from engine.cli.recording_frames import frame_recorder, listen
from engine.cli.show import as_json, as_text
from engine.runtime.clock import MonotonicClock
from engine.runtime.config import Config, VenueConfig, load_config
from engine.runtime.frames import FrameRecorder
from engine.runtime.redaction import Redactor
from engine.values.errors import UserError
from engine.values.events import Disconnected, Event
from engine.values.instrument import Instrument

ENDED_EARLY = 1
LOOK_S = 0.25
KEYLESS = ("recv_window_ms", "request_timeout_ms", "snapshot_limit", "grade")
"""Options that the keyless way takes over from a venue that is otherwise reached natively."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What `record` answers. `complaint` says why it ended before it was told to."""

    directory: str
    files: list[str]
    markets: list[str]
    frames: int
    bytes: int
    disk_bytes: int
    losses: int
    seconds: float
    complaint: str


def record(
    config: Annotated[Path, typer.Argument(help="A config file, as in configs/.")],
    seconds: Annotated[
        float, typer.Option("--seconds", min=0, help="Stop after so long; 0 is never.")
    ] = 0.0,
    out: Annotated[
        Path | None, typer.Option("--out", help="Directory; the config's data_dir by default.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """Record the raw public frames of CONFIG's markets until Ctrl-C, SIGTERM or --seconds.

    Needs no key. Writes DIR/frames, a file an hour, which `ballast data` reads. Exits 1 where the
    disk ended it.
    """
    loaded = load_config(config)
    quiet_logging(Redactor())
    answer = asyncio.run(_record(loaded, str(config), seconds, out))
    if json:
        as_json(answer)
    else:
        as_text(*_lines(answer))
    if answer.complaint:
        raise typer.Exit(ENDED_EARLY)


async def _record(config: Config, name: str, seconds: float, out: Path | None) -> Recorded:
    clock = MonotonicClock()
    wanted = _watching(config)
    async with AsyncExitStack() as stack:
        opened: dict[str, OpenVenue] = {}
        for venue in wanted.venues:
            opened[venue.name] = _open(reached(config, venue, name), clock)
            stack.push_async_callback(opened[venue.name].gateway.close)
        instruments = await read_instruments(wanted, opened)
        feeds = {
            venue: each.feed([i for i in instruments.values() if i.venue == venue])
            for venue, each in opened.items()
        }
        recorder = frame_recorder(config, instruments.values(), clock.now_ns(), out)
        listen(recorder, feeds)
        inbox = _Deaf()
        recorder.start()
        stack.callback(recorder.close)
        began_s = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(feed.run(inbox)) for feed in feeds.values()]
            await _until_told(recorder, seconds)
            for each in running:
                each.cancel()
        lasted_s = time.monotonic() - began_s
        recorder.close()
    return _answer(recorder, list(instruments.values()), inbox, lasted_s)


class _Deaf:
    """Facts are not what is recorded here; only lost connections are counted."""

    def __init__(self) -> None:
        self.losses = 0

    def put(self, event: Event) -> None:
        self.losses += isinstance(event, Disconnected)


def _watching(config: Config) -> Config:
    """With the venues of those markets alone that are traded or looked at."""
    used = {market.venue for market in config.markets} | {each.venue for each in config.watched}
    venues = [venue for venue in config.venues if venue.name in used]
    return msgspec.structs.replace(config, venues=venues)


def _open(venue: VenueConfig, clock: MonotonicClock) -> OpenVenue:
    """Without a key. The native way asks for its fees first and so for a key; ccxt's does not."""
    options = {key: value for key, value in venue.options.items() if key in KEYLESS}
    keyless = msgspec.structs.replace(venue, adapter="ccxt", options=options)
    found, mistakes = options_of(keyless, f"venue {venue.name}")
    if found is None:
        raise UserError("\n".join(mistakes))
    return adapter_of(keyless).open_venue(found, clock, None)


async def _until_told(recorder: FrameRecorder, seconds: float) -> None:
    """Return at a signal, after `seconds`, or when the recording has ended by itself."""
    told, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    ends_s = time.monotonic() + seconds if seconds else float("inf")
    console = Console(stderr=True)
    with Screen(console=console, auto_refresh=False, transient=True) as screen:
        while not told.is_set() and recorder.is_on and time.monotonic() < ends_s:
            await _wait(told, min(LOOK_S, ends_s - time.monotonic()))
            if console.is_terminal:
                screen.update(_progress(recorder), refresh=True)


async def _wait(told: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await told.wait()


def _progress(recorder: FrameRecorder) -> str:
    megabytes = recorder.taken_bytes / 1e6
    return f"{recorder.taken:,} frames, {megabytes:,.1f} MB, {recorder.written:,} on the disk"


def _answer(
    recorder: FrameRecorder, instruments: list[Instrument], inbox: _Deaf, seconds: float
) -> Recorded:
    files = recorder.files()
    return Recorded(
        directory=str(recorder.directory),
        files=[file.name for file in files],
        markets=[each.market for each in instruments],
        frames=recorder.written,
        bytes=recorder.taken_bytes,
        disk_bytes=sum(file.stat().st_size for file in files),
        # Each feed says once that it stopped, which is our own doing.
        losses=max(inbox.losses - len({each.venue for each in instruments}), 0),
        seconds=round(seconds, 3),
        complaint=recorder.complaint(),
    )


def _lines(answer: Recorded) -> list[str]:
    lines = [
        f"{answer.frames:,} frames of {', '.join(answer.markets)} in {answer.seconds:,.1f} s",
        f"{answer.bytes:,} bytes, {answer.disk_bytes:,} on the disk, losses {answer.losses}",
        *(f"{answer.directory}/{name}" for name in answer.files),
    ]
    return [*lines, answer.complaint] if answer.complaint else lines
