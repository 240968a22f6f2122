"""`ballast run` as a process of its own, on a venue that may be one too."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tomlkit

from engine.cli.audit import Account, Audit, audit
from engine.cli.demo_venue import KEY_NAME, OPENING, flat
from engine.runtime.control import call
from engine.values.errors import UserError
from engine.values.instrument import Instrument
from tests import patience
from tests.live_world import ROOT, SYMBOL, demo_table
from tests.patience import wait_until

PATIENCE_S = 120.0
ANSWER_S = 30.0
BTT = Instrument(
    symbol="BTT/USDT",
    venue="loopback",
    venue_symbol=SYMBOL,
    base="BTT",
    quote="USDT",
    price_exponent=8,
    tick=1,
    size_exponent=0,
    lot=1,
    maker_fee_ppm=1000,
    taker_fee_ppm=1000,
)


def ballast(*words: str, s: float = PATIENCE_S) -> subprocess.CompletedProcess[str]:
    """One verb, from its start to its end."""
    command = [sys.executable, "-m", "engine.cli", *words]
    with patience.ends(" ".join(words)):
        return subprocess.run(command, cwd=ROOT, text=True, capture_output=True, timeout=s)


class VenueProcess:
    """`ballast venue` with the thin market, and the truth that it tells over REST."""

    def __init__(self, directory: Path) -> None:
        self.key_file = directory / KEY_NAME
        words = ["venue", "--seed", "7", "--key-file", str(self.key_file), "--balance", OPENING]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "engine.cli", *words, "--json"],
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        self.urls = flat(json.loads(self.process.stdout.readline())["urls"])
        key = json.loads(self.key_file.read_text())
        self.account = Account(self.urls["private"], key["api_key"], key["secret"])

    def open_orders(self) -> list[Any]:
        found: list[Any] = self.account.get("openOrders", symbol=SYMBOL)
        return found

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        self.thaw()
        self.process.kill()
        self.process.communicate()


@contextmanager
def venue_process(directory: Path) -> Iterator[VenueProcess]:
    venue = VenueProcess(directory)
    try:
        yield venue
    finally:
        venue.end()


def config_file(path: Path, key_file: Path, urls: dict[str, str], **runtime: float) -> Path:
    """A config of the thin market, beside the data of its engine."""
    table = demo_table(path.parent / "data", key_file, urls, **runtime)
    path.write_text(tomlkit.dumps(table))
    return path


class EngineProcess:
    """`ballast run CONFIG`. What it writes is in two files, so that no pipe can fill up."""

    def __init__(self, config: Path, *words: str, before: str = "") -> None:
        """`before` is Python that the process runs first, to break what is to be broken."""
        self.config = config
        self.data = config.parent / "data"
        self.out, self.err = config.parent / "out.txt", config.parent / "err.txt"
        start = ["-c", f"{before}\nfrom engine.cli.main import main\nmain()"]
        start = start if before else ["-m", "engine.cli"]
        with self.out.open("ab") as out, self.err.open("ab") as err:
            self.process = subprocess.Popen(
                [sys.executable, *start, "run", str(config), *words],
                cwd=ROOT,
                stdout=out,
                stderr=err,
                env={**os.environ, "PYTHONWARNINGS": "default"},
            )

    def ask(self, *words: str) -> Any:
        """A verb of a person to this engine; its answer, or an AssertionError with its words."""
        done = ballast(*words, "--at", str(self.data), "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def market(self) -> dict[str, Any]:
        """Its only market's status, by the control socket; {} while it does not answer."""
        try:
            found: dict[str, Any] = call(self.data / "control.sock", "status", {}, ANSWER_S)
        except UserError:
            return {}
        market: dict[str, Any] = found["markets"][0]
        return market

    def is_blind(self) -> bool:
        """Whether it says that it does not see; a busy machine's late loop is no such word."""
        market = self.market()
        is_off = market.get("state") in ("INIT", "RECONCILING", "PULLED")
        return is_off and not market["reason"].startswith(("loop", "journal"))

    def quoting(self) -> dict[str, Any]:
        """Wait until it quotes on both sides."""

        def quotes() -> dict[str, Any] | None:
            assert self.process.poll() is None, self.err.read_text()
            market = self.market()
            sides = {order["side"] for order in market.get("orders", [])}
            is_so = market.get("state") == "QUOTING" and len(sides) == 2
            return market if is_so else None

        found: dict[str, Any] = wait_until(quotes, "quoting", PATIENCE_S, self.market)
        return found

    def wait(self, s: float = PATIENCE_S) -> int:
        with patience.ends("the engine"):
            return self.process.wait(s)

    def audit(self, account: Account) -> Audit:
        return audit(self.data / "journal.db", BTT, account)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def engine_process(config: Path, *words: str, before: str = "") -> Iterator[EngineProcess]:
    engine = EngineProcess(config, *words, before=before)
    try:
        yield engine
    finally:
        engine.end()
