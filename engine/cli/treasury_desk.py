"""How the verbs of actions reach a desk: over the socket of a running engine, or on its journal."""

import asyncio
import os
import pwd
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from engine.cli.whereabouts import Whereabouts, whereabouts
from engine.runtime.action_answers import inbox, taken
from engine.runtime.action_driver import ActionDriver, Place, desk_of, open_driver
from engine.runtime.action_talk import VERB
from engine.runtime.authority_file import (
    authority_word,
    load_authority,
    load_roster,
    roster_word,
)
from engine.runtime.clock import MonotonicClock
from engine.runtime.control import NotRunning, call
from engine.runtime.journal_reader import read_last
from engine.runtime.operating import moment_text
from engine.runtime.private_files import private_directory
from engine.runtime.treasury_facts import facts_file, scheme_of, told
from engine.runtime.treasury_file import load_treasury
from engine.treasury.amounts import Price
from engine.treasury.desk_step import SignedWord
from engine.treasury.holdings import Holdings
from engine.values.action_records import AuthoritySet, RosterSet
from engine.values.errors import UserError

ANSWER_S = 10.0
DEFAULT_DESK = Path("var/treasury")
ENGINES = (
    "the engine whose desk this is does not run; what waits is shown by inbox, and a word that is "
    "signed with --out FILE can be handed in (inbox --take FILE) once it runs"
)

At = Annotated[
    Path, typer.Option("--at", help="A desk's directory, or an engine's: its config or directory.")
]
TreasuryFileFlag = Annotated[
    Path | None, typer.Option("--file", help="A treasury file: its [authority] comes into force.")
]
FactsFlag = Annotated[
    Path | None, typer.Option("--facts", help="Prices, as for `treasury check`; else unknown.")
]
Out = Annotated[Path | None, typer.Option("--out", help="Write the signed word to a file instead.")]
As = Annotated[str, typer.Option("--as", help="Your name on the roster.")]
Key = Annotated[Path, typer.Option("--key", help="Your private key, which nobody else can read.")]
Json = Annotated[bool, typer.Option("--json", help="One object on the last line.")]

Answer = TypeVar("Answer")


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """Where the desk is (`whereabouts`), and what to load into it before anything else.

    With `loads` false the treasury file is read for what it says of assets, and not brought into
    force; only a desk that has no policy yet begins with it.
    """

    at: Path
    file: Path | None = None
    roster: Path | None = None
    facts: Path | None = None
    place: Place | None = None
    loads: bool = True

    @property
    def where(self) -> Whereabouts:
        """Raises UserError. A desk of one's own may be begun in a new directory."""
        return whereabouts(self.at, may_be_new=True)


def who_runs() -> str:
    """The user of this process: who loads a file is in the journal."""
    return pwd.getpwuid(os.geteuid()).pw_name


def on_desk(desk: Desk, act: Callable[[ActionDriver], Awaitable[Answer]]) -> Answer:
    """Open the desk's journal, bring its files into force, and act. Raises UserError.

    Every file is read and proved before anything is touched: a bad one changes nothing.
    """
    clock, where = MonotonicClock(), desk.where
    if where.keeps_desk:
        raise NotRunning(f"{desk.at}: {ENGINES}")
    authority = load_authority(desk.file) if desk.file else None
    prices = _prices(desk)
    words: list[RosterSet | AuthoritySet] = []
    if authority is not None and desk.loads:
        words.append(authority_word(authority, str(desk.file), who_runs(), clock.now_ns()))
    if desk.roster is not None:
        people = load_roster(desk.roster)
        words.append(roster_word(people, str(desk.roster), who_runs(), clock.now_ns()))

    async def session() -> Answer:
        async with open_driver(where.home, authority, desk.place, clock.now_ns) as driver:
            for price in prices:
                driver.desk.price(price)
            await driver.load(words)
            await driver.tick()
            return await act(driver)

    private_directory(where.home)
    return asyncio.run(session())


def deliver(desk: Desk, words: Sequence[SignedWord]) -> list[dict[str, Any]]:
    """Hand signed words to the desk, and what became of each. Raises UserError."""
    content = [msgspec.json.encode(word).decode() for word in words]
    answer = _from_engine(desk, {"words": content})
    if answer is not None:
        answers: list[dict[str, Any]] = answer["answers"]
        return answers

    desk.where.kept_desk()  # a slip in --at must not begin a desk that nobody is a member of

    async def act(driver: ActionDriver) -> list[dict[str, Any]]:
        return [taken(await driver.take(word), driver.desk) for word in words]

    return on_desk(desk, act)


def inbox_of(desk: Desk, *, is_all: bool) -> dict[str, Any]:
    """What waits, from the engine that runs there or from its journal. Raises UserError."""
    answer = running_inbox(desk, is_all=is_all)
    if answer is not None:
        return answer
    authority, where = load_authority(desk.file) if desk.file else None, desk.where
    found = inbox(desk_of(where.kept_desk(), authority), now_ns(), is_all=is_all)
    if not where.keeps_desk:
        return found
    [last] = read_last(where.journal, 1)
    return found | {"note": f"NO ENGINE RUNS: as of {moment_text(last.at_ns)}, by its journal"}


def running_inbox(desk: Desk, *, is_all: bool) -> dict[str, Any] | None:
    """The inbox of the engine that runs there; None where none does. Raises UserError."""
    return _from_engine(desk, {"inbox": is_all})


def _from_engine(desk: Desk, args: dict[str, Any]) -> dict[str, Any] | None:
    """None where no engine runs there. Files are loaded by who runs the engine, not over it."""
    socket = desk.where.socket
    if not socket.exists():
        return None
    try:
        answer = call(socket, VERB, args, ANSWER_S)
    except NotRunning:
        return None
    if desk.facts or desk.roster:
        raise UserError(f"{desk.at}: an engine runs here; it loads its files itself")
    return answer


def now_ns() -> int:
    return time.time_ns()


def _prices(desk: Desk) -> list[Price]:
    if desk.facts is None:
        return []
    if desk.file is None:
        raise UserError("--facts needs --file, which says what the assets are")
    holdings = Holdings(scheme_of(load_treasury(desk.file)))
    list(told(holdings, facts_file(desk.facts), str(desk.facts)))
    facts = holdings.facts()  # of a book its mid is the price, as in an engine
    found = (facts.price(asset) for asset in facts.scheme.assets)
    return [price for price in found if price is not None]
