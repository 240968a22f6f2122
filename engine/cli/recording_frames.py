"""Joins the recorder of raw frames to the feeds of a config: for `record` and for `run`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from engine.runtime.config import Config
from engine.runtime.frames import FrameRecorder, FramesHeader
from engine.values.errors import UserError
from engine.values.instrument import Instrument
from engine.values.ports import Feed
from engine.values.units import Ns

LOOK_S = 0.5
Wire: TypeAlias = Callable[[Ns, str, bytes], None]


@runtime_checkable
class HasWire(Protocol):
    """A feed whose raw frames can be heard: `adapters.common.wire` says what `wire` is told."""

    wire: Wire | None


def frame_recorder(
    config: Config, instruments: Iterable[Instrument], at_ns: Ns, directory: Path | None = None
) -> FrameRecorder:
    """Not started yet. The files go below the config's data directory, or the one that is named."""
    header = FramesHeader(
        at_ns=at_ns,
        part=0,
        code_version=version("ballast"),
        exchanges={venue.name: venue.exchange for venue in config.venues},
        instruments=list(instruments),
    )
    return FrameRecorder(directory or config.data_path, header)


def listen(recorder: FrameRecorder, feeds: dict[str, Feed]) -> None:
    """Let the recorder hear every feed, by venue. Raises UserError for one without raw frames."""
    for venue, feed in feeds.items():
        if not isinstance(feed, HasWire):
            why = "its feed is of snapshot grade: books as ccxt parsed them, no frames"
            raise UserError(f"venue {venue}: raw frames cannot be recorded: {why}")
        feed.wire = recorder.take


@asynccontextmanager
async def frames_recorded(
    recorder: FrameRecorder, feeds: dict[str, Feed], warn: Callable[[str], None]
) -> AsyncIterator[None]:
    """Record beside an engine, which goes on when the recording ends; `warn` then hears why."""
    listen(recorder, feeds)
    recorder.start()
    watching = asyncio.create_task(_watch(recorder, warn), name="frames")
    try:
        yield
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        recorder.close()


async def _watch(recorder: FrameRecorder, warn: Callable[[str], None]) -> None:
    while True:
        await asyncio.sleep(LOOK_S)
        if told := recorder.complaint():
            warn(told)
