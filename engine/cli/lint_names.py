"""What a strategy may not reach for, by the full name of the thing, and why."""

from enum import StrEnum

import msgspec


class Rule(StrEnum):
    """What is wrong, in one word."""

    CLOCK = "clock"
    CHANCE = "chance"
    IO = "io"
    STATE = "state"
    AHEAD = "look-ahead"
    HIDDEN = "hidden"
    REACH = "reach"


class Finding(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One fault of a strategy's source. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    rule: Rule
    why: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.rule}: {self.why}"


STRATEGY = "engine.trading.strategy"
NOW = "time is view.now_ns: a wall clock makes a back-test differ from live"
DICE = "chance makes two runs differ"
WORLD = "no file, network, process or output: a decision rests on the view alone"
LATER = "recorded or simulated data hold what comes after the view"
CACHE = "a cache of the module's outlives the strategy and is shared between markets"
UNSEEN = "what it does cannot be seen from here"

PURE = {
    "__future__", "abc", "bisect", "cmath", "collections", "copy", "dataclasses", "decimal", "enum",
    "fractions", "functools", "heapq", "itertools", "math", "msgspec", "numbers", "numpy",
    "operator", "re", "statistics", "string", "types", "typing", "typing_extensions",
}  # fmt: skip
"""Modules whose import says nothing against a strategy."""

NEEDED_PARTS = {"datetime": "the durations of datetime are pure, its clock is not"}
"""Modules of which only some names are wrong."""

BANNED: dict[str, tuple[Rule, str]] = {
    **dict.fromkeys(
        (
            "time", "timeit", "sched", "datetime.datetime.now", "datetime.datetime.utcnow",
            "datetime.datetime.today", "datetime.date.today", "pandas.Timestamp.now",
            "pandas.Timestamp.today", "pandas.Timestamp.utcnow",
        ),
        (Rule.CLOCK, NOW),
    ),
    **dict.fromkeys(
        ("random", "secrets", "uuid", "numpy.random", "os.urandom"), (Rule.CHANCE, DICE)
    ),
    **dict.fromkeys(
        (
            "os", "sys", "io", "pathlib", "shutil", "socket", "socketserver", "ssl", "subprocess",
            "multiprocessing", "threading", "concurrent", "asyncio", "signal", "logging", "sqlite3",
            "urllib", "http", "requests", "aiohttp", "aiosqlite", "httpx", "websockets", "picows",
            "ccxt", "ftplib", "smtplib", "tempfile", "glob", "fileinput", "pickle", "shelve", "csv",
            "gzip", "zipfile", "tarfile", "lzma", "bz2", "mmap", "ctypes", "cffi", "select",
            "selectors", "getpass", "platform", "resource", "atexit", "warnings", "builtins.open",
            "builtins.print", "builtins.input", "builtins.breakpoint", "numpy.load", "numpy.save",
            "numpy.savez", "numpy.savez_compressed", "numpy.savetxt", "numpy.loadtxt",
            "numpy.genfromtxt", "numpy.fromfile", "numpy.fromregex", "numpy.memmap",
            "numpy.lib.format", "numpy.ctypeslib",
        ),
        (Rule.IO, WORLD),
    ),
    **dict.fromkeys(
        (
            "engine.sim", "engine.runtime", "engine.cli", "adapters", "bench", "tests",
            "pandas.read_csv", "pandas.read_parquet", "polars.read_csv", "polars.read_parquet",
            "polars.scan_parquet", "polars.scan_csv",
        ),
        (Rule.AHEAD, LATER),
    ),
    **dict.fromkeys(("functools.cache", "functools.lru_cache"), (Rule.STATE, CACHE)),
    **dict.fromkeys(
        (
            "importlib", "runpy", "inspect", "gc", "builtins.eval", "builtins.exec",
            "builtins.compile", "builtins.__import__", "builtins.globals", "builtins.locals",
            "builtins.vars", "builtins.delattr", "builtins.setattr", "builtins.__builtins__",
        ),
        (Rule.HIDDEN, UNSEEN),
    ),
    **dict.fromkeys(
        ("builtins.hash", "builtins.id"),
        (Rule.CHANCE, "its value differs from process to process"),
    ),
}  # fmt: skip
"""The longest name that is here decides: `numpy` is fine and `numpy.random.normal` is not."""


def banned(name: str) -> tuple[Rule, str] | None:
    """What is wrong with this full name, by itself or by what it is inside of."""
    while name:
        if name in BANNED:
            return BANNED[name]
        name = name.rpartition(".")[0]
    return None


def reach_of(module: str) -> tuple[Rule, str] | None:
    """What is wrong with importing this module."""
    if module == STRATEGY:
        return None
    if found := banned(module):
        return found
    root = module.partition(".")[0]
    if root == "engine":
        return Rule.REACH, f"an author's door is {STRATEGY}; other rooms change without notice"
    if root in PURE or root in NEEDED_PARTS:
        return None
    return Rule.REACH, f"{module} is not known to be pure: {UNSEEN}"
