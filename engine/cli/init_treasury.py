"""`ballast init treasury`: float, buffer, one conversion threshold; the rest is added by layers."""

import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Annotated

import msgspec
import typer

from engine.cli.show import as_json, as_text
from engine.runtime.authority_file import load_authority
from engine.runtime.treasury_file import parse_treasury
from engine.runtime.treasury_rows import LOCK_COLUMNS, OBLIGATION_COLUMNS
from engine.values.errors import UserError
from engine.values.units import PPM, scaled

TEMPLATE = "treasury.toml.tmpl"
ASSET = re.compile(r"[A-Z0-9]{1,20}")
VENUE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
PERCENT_MIN, PERCENT_MAX = 101, 500
DAYS_MAX = 366
NUMBERS = ("--buffer-days", "--convert-over")
CAP_OVER_PPM = 300_000
"""The market maker stops buying this much above the threshold: between them it is converted."""
LAYERS = (
    "what is owed (obligations.csv): the curve by due date, and a buffer with a measure",
    "more limits: exposure, staking, share on one venue, allow-list, by business function",
    "people: a roster with keys and rows for two people; until then only the excess is converted",
    "overrides: who may act at once in an outage or a depeg, and which evidence must follow",
    "locks (locks.csv): stakes, pools and withdrawals with their time to cash",
    "books: double entry from the journal, lots, gains",
    "placement: staking, pools and reserve on one footing",
    "emergency: the ladder of what goes first when money is missing",
)

Directory = Annotated[Path, typer.Argument(help="Where to write; nothing there is replaced.")]


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """Amounts are decimal text in whole tokens; the threshold is in percent of the float."""

    asset: str
    money: str
    venue: str
    float: str
    float_money: str
    buffer_days: int
    over_percent: int
    most: str


def treasury(
    directory: Directory = Path(),
    asset: Annotated[str, typer.Option(help="The token, like BTT.")] = "",
    money: Annotated[str, typer.Option(help="The stable asset that all is valued in.")] = "",
    venue: Annotated[str, typer.Option(help="The exchange, as in the main config.")] = "",
    float_: Annotated[
        str, typer.Option("--float", help="What the market maker works with, in tokens.")
    ] = "",
    float_money: Annotated[
        str, typer.Option(help="What the market maker may buy with, in money.")
    ] = "",
    buffer_days: Annotated[int, typer.Option(help="Stable value for so many days.")] = 0,
    convert_over: Annotated[
        int, typer.Option(help="Convert what is over so many percent of the float; 120.")
    ] = 0,
    convert_most: Annotated[
        str, typer.Option(help="The most that is converted in a day without asking, in money.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """Write a commented treasury file that runs. Asks for what no flag says, on a terminal."""
    answers = Answers(
        asset=_asked("--asset", asset, "Which token, like BTT"),
        money=_asked("--money", money, "Valued in which stable asset, like USDT"),
        venue=_asked("--venue", venue, "On which exchange, as your config names it"),
        float=_asked("--float", float_, "FLOAT: how many tokens may the market maker work with"),
        float_money=_asked("--float-money", float_money, "FLOAT: and how much money to buy with"),
        buffer_days=_whole(
            "--buffer-days",
            _asked("--buffer-days", buffer_days, "BUFFER: stable value for how many days"),
        ),
        over_percent=_whole(
            "--convert-over",
            _asked(
                "--convert-over", convert_over, "THRESHOLD: convert over which percent of the float"
            ),
        ),
        most=_asked(
            "--convert-most", convert_most, "How much a day at most without asking, in money"
        ),
    )
    check(answers)
    written = write(directory, answers)
    first = [str(path) for path in written]
    if json:
        as_json({"files": first, "answers": msgspec.structs.asdict(answers), "layers": LAYERS})
        return
    as_text(
        *(f"written: {path}" for path in first),
        "",
        "Next:",
        f"  ballast treasury check {first[0]}",
        f"  write what you hold into {first[3]}, then",
        f"  ballast treasury liquid {first[0]} --facts {first[3]}",
        "",
        "What each later layer adds (the file says how):",
        *(f"  {number}. {text}" for number, text in enumerate(LAYERS, start=1)),
    )


def check(answers: Answers) -> None:
    """Raises UserError naming the flag."""
    given = {
        "--asset": answers.asset,
        "--money": answers.money,
        "--venue": answers.venue,
        "--float": answers.float,
        "--float-money": answers.float_money,
        "--buffer-days": str(answers.buffer_days),
        "--convert-over": str(answers.over_percent),
        "--convert-most": answers.most,
    }
    for flag, text in given.items():
        if problem := fault(flag, text):
            said = text if flag in NUMBERS else repr(text)
            raise UserError(f"{flag} {said}: {problem}")
    if answers.asset == answers.money:
        raise UserError("--money: must be another than --asset")


def fault(flag: str, text: str) -> str:
    """What is wrong with one answer by itself, "" for nothing."""
    match flag:
        case "--asset" | "--money":
            return "" if ASSET.fullmatch(text) else "capital letters and digits, at most 20"
        case "--venue":
            return "" if VENUE.fullmatch(text) else "small letters, digits, _ and -, at most 32"
        case "--buffer-days":
            return _range_fault(text, 1, DAYS_MAX, "")
        case "--convert-over":
            return _range_fault(text, PERCENT_MIN, PERCENT_MAX, " percent")
        case _:
            try:
                return "" if scaled(text, 8) > 0 else "must be more than 0"
            except ValueError as error:
                return str(error)


def _range_fault(text: str, least: int, most: int, unit: str) -> str:
    if not (text.isascii() and text.removeprefix("-").isdigit()):
        return "a whole number is wanted"
    return "" if least <= int(text) <= most else f"{least} to {most}{unit}"


def write(directory: Path, answers: Answers) -> list[Path]:
    """All files or, where one of them is there already, none. Raises UserError."""
    names = ("treasury.toml", "obligations.csv", "locks.csv", "facts.json")
    paths = [directory / name for name in names]
    texts = texts_of(paths, answers)
    parse_treasury(texts[0], str(paths[0]))  # what is written makes sense, or nothing is written
    for path in paths:
        if path.exists():
            raise UserError(f"{path}: is there already; nothing was written")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for path, text in zip(paths, texts, strict=True):
            with path.open("x", encoding="utf-8") as stream:
                stream.write(text)
    except OSError as error:
        raise UserError(f"{directory}: cannot be written: {error.strerror}") from error
    load_authority(paths[0])
    return paths


def texts_of(paths: list[Path], answers: Answers) -> list[str]:
    """The contents of the files, in the order of the paths."""
    upper = answers.over_percent * PPM // 100
    template = (files("engine.cli") / "templates" / TEMPLATE).read_text()
    policy = Template(template).substitute(
        file=paths[0].as_posix(),
        obligations=_quoted(paths[1]),
        locks=_quoted(paths[2]),
        facts=paths[3].as_posix(),
        asset=answers.asset,
        money=answers.money,
        venue=answers.venue,
        float=answers.float,
        float_money=answers.float_money,
        days=answers.buffer_days,
        upper_ppm=upper,
        cap_ppm=min(10 * PPM, upper + CAP_OVER_PPM),
        most=answers.most,
        desk=answers.asset.lower(),
    )
    places = [(answers.venue, answers.asset), (answers.venue, answers.money),
              ("cold wallet", answers.asset)]  # fmt: skip
    balances = [{"place": p, "asset": a, "amount": "0"} for p, a in places]
    facts = {"at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "balances": balances}
    picture = msgspec.json.format(msgspec.json.encode(facts)).decode() + "\n"
    return [policy, ",".join(OBLIGATION_COLUMNS) + "\n", ",".join(LOCK_COLUMNS) + "\n", picture]


def _quoted(path: Path) -> str:
    """Inside a TOML string. Raises UserError for what such a string cannot hold plainly."""
    text = path.as_posix()
    if not text.isprintable() or '"' in text or "\\" in text:
        raise UserError(f"{text!r}: choose a directory without quotes and backslashes")
    return text


def _asked(flag: str, given: str | int, question: str) -> str:
    """The flag, or else the answer of who sits there. Raises UserError where nobody does."""
    if given:
        return str(given)
    if not sys.stdin.isatty():
        raise UserError(f"{flag}: missing, and nobody can be asked")
    return asked_until_fine(flag, question, typer.prompt)


def asked_until_fine(flag: str, question: str, ask: Callable[[str], str]) -> str:
    """A slip is asked about at once: the answers before it are not given again."""
    while True:
        text = str(ask(question)).strip()
        problem = fault(flag, text)
        if not problem:
            return text
        typer.echo(f"{text!r}: {problem}", err=True)


def _whole(flag: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise UserError(f"{flag} {text!r}: a whole number is wanted")
    return int(text)
