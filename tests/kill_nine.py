"""Kill the engine with -9 again and again, start it again, and hold the journal to the venue.

    python -m tests.kill_nine --times 20 --seed 1 [--json]

One loopback venue lives through all of it. Each life of the engine ends at a drawn moment: while it
starts, when it asks the venue, between an intent and its bytes, at a fill, while it stops. What it
left resting may fill while it is dead. Exit code 1 where anything of `venue_truth` is violated.
"""

import argparse
import hashlib
import hmac
import json
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import tomlkit

from tests.plain_demo import plain_demo
from tests.venue_truth import ALWAYS, AT_REST, Journal, Row, Venue

ROOT = Path(__file__).resolve().parent.parent
SYMBOL, BASE, QUOTE = "BTTUSDT", "BTT", "USDT"
OPENING = {BASE: Decimal(200_000_000), QUOTE: Decimal(1000)}
PAGE = 1000
POLL_S = 0.0002
PATIENCE_S = 12.0
LAST_PATIENCE_S = 100.0
"""A first reading that raced a fill is read again after `reconcile_s`, each time it happens, and
twenty starts may have spent the venue's weight of a minute: nobody quotes before."""
LAST_RUN_S = 4.0
STOP_S = 90.0
LIFE_SQL = """
    SELECT seq FROM records WHERE kind = 'SessionStarted'
    AND json_extract(CAST(body AS TEXT), '$.epoch') > ?
"""
COUNT_SQL = "SELECT COUNT(*) FROM records WHERE seq > ? AND kind = ? AND instr(body, ?) > 0"


def ballast(*words: str, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "engine.cli", *words]
    return subprocess.Popen(command, cwd=ROOT, text=True, **options)


# --- the venue ---------------------------------------------------------------------------------


class LoopbackVenue:
    """The exchange of the whole run, and what it says about our account when asked."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.key_path = directory / "key.json"
        balance = ",".join(f"{asset}={amount}" for asset, amount in OPENING.items())
        self.process = ballast(
            "venue", "--port", "0", "--market", "btt-thin", "--seed", str(seed), "--balance",
            balance, "--key-file", str(self.key_path), "--json", stdout=subprocess.PIPE,
        )  # fmt: skip
        self.urls = json.loads(self.process.stdout.readline())["urls"]
        self._key = json.loads(self.key_path.read_text())
        filters = self._get("exchangeInfo")["symbols"][0]["filters"]
        grid = {row["filterType"]: row for row in filters}
        self.tick = Decimal(grid["PRICE_FILTER"]["tickSize"])
        self.lot = Decimal(grid["LOT_SIZE"]["stepSize"])
        bands = tomllib.loads((ROOT / "configs" / "demo.toml").read_text())["markets"][0]["bands"]
        self.bands = (Decimal(bands["floor"]), Decimal(bands["cap"]))

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()

    def truth(self, *, with_balances: bool = False) -> Venue:
        """Trades before orders: an order of each trade is then surely in the list."""
        trades = self.trades()
        orders = self._pages("allOrders", "orderId", "orderId")
        rows = self._signed("account")["balances"] if with_balances else []
        balances = {row["asset"]: Decimal(row["free"]) + Decimal(row["locked"]) for row in rows}
        floor, cap = self.bands
        return Venue(
            tick=self.tick,
            lot=self.lot,
            base=BASE,
            quote=QUOTE,
            opening=OPENING,
            balances=balances,
            orders=orders,
            trades=trades,
            floor=floor,
            cap=cap,
        )

    def trades(self) -> list[Row]:
        return self._pages("myTrades", "fromId", "id")

    def _pages(self, path: str, cursor: str, number: str) -> list[Row]:
        found: list[Row] = []
        while True:
            first = found[-1][number] + 1 if found else 1
            page = self._signed(path, symbol=SYMBOL, limit=PAGE, **{cursor: first})
            found += page
            if len(page) < PAGE:
                return found

    def _signed(self, path: str, **params: Any) -> Any:
        query = urlencode({**params, "timestamp": time.time_ns() // 1_000_000})
        secret = self._key["secret"].encode()
        proof = hmac.new(secret, query.encode(), hashlib.sha256).hexdigest()
        return self._get(f"{path}?{query}&signature={proof}", self._key["api_key"])

    def _get(self, path: str, api_key: str = "") -> Any:
        url = f"{self.urls['public']}/{path}"
        request = urllib.request.Request(url, headers={"X-MBX-APIKEY": api_key})
        with urllib.request.urlopen(request, timeout=60.0) as answer:
            return json.load(answer)


# --- the engine --------------------------------------------------------------------------------


class Engine:
    """One data directory and the lives that are spent on it."""

    def __init__(self, directory: Path, venue: LoopbackVenue) -> None:
        self.data = directory / "data"
        self.config = directory / "kill.toml"
        self._log = (directory / "engine.log").open("ab")
        self._write_config(venue)

    def start(self) -> subprocess.Popen[str]:
        return ballast("run", str(self.config), stdout=self._log, stderr=self._log)

    def stop(self) -> tuple[int, str]:
        answer = subprocess.run(
            [sys.executable, "-m", "engine.cli", "stop", "--at", str(self.data)],
            cwd=ROOT, capture_output=True, text=True, timeout=STOP_S + 10, check=False,
        )  # fmt: skip
        return answer.returncode, answer.stdout + answer.stderr

    def verify(self) -> list[str]:
        """`journal verify` by its exit code. No journal at all is right only before any session."""
        if not (self.data / "journal.db").exists():
            return []
        command = [sys.executable, "-m", "engine.cli", "journal", "verify", str(self.data)]
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        said = f"{answer.stdout}{answer.stderr}".strip()
        return [f"I30 journal verify: {said}"] if answer.returncode else []

    def journal(self) -> Journal:
        if not (self.data / "journal.db").exists():
            return Journal()
        command = [sys.executable, "-m", "engine.cli", "journal", "export", str(self.data)]
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return Journal([json.loads(line) for line in answer.stdout.splitlines()])

    def _write_config(self, venue: LoopbackVenue) -> None:
        """The demo's config but for places, key, snapshot and the wait for a first volatility."""
        config = plain_demo()
        config["data_dir"] = str(self.data)
        config["venues"][0]["key_file"] = str(venue.key_path)
        config["venues"][0]["urls"] = {
            "public": venue.urls["public"],
            "private": venue.urls["private"],
            "ws.spot": venue.urls["ws"]["spot"],
            "ws.ws-api.spot": venue.urls["ws"]["ws-api"]["spot"],
        }
        config["markets"][0]["features"]["volatility_warm_up_s"] = 0.3
        self.config.write_text(tomlkit.dumps(config))


class Watch:
    """Looks into the journal while the engine writes it, to find a moment worth dying at."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        epochs = self._rows("SELECT MAX(epoch) FROM sessions")
        self._epoch = epochs[0][0] or 0 if epochs else 0
        self._began = 0
        self._old_ahead = self._ahead()

    def count(self, kind: str, holding: str = "") -> int:
        """Records of this session of this kind, with such a text in them."""
        if not self._began:
            life = self._rows(LIFE_SQL, self._epoch)
            self._began = life[0][0] if life else 0
        if not self._began:
            return 0  # what came until now was left over from the life before
        rows = self._rows(COUNT_SQL, self._began - 1, kind, holding.encode())
        return rows[0][0] if rows else 0

    def has_begun(self, kind: str) -> bool:
        """The first such record, in the ahead log too: there it is durable before SQLite has it."""
        return self._is_ahead(kind) or self.count(kind) > 0

    def _is_ahead(self, kind: str) -> bool:
        mark = f'"type":"{kind}"'.encode()
        pairs = zip(self._ahead(), self._old_ahead, strict=True)
        return any(mark in new.removeprefix(old) for new, old in pairs)

    def _ahead(self) -> list[bytes]:
        files = [self._path.with_name(f"{self._path.name}-ahead-{letter}") for letter in "ab"]
        return [file.read_bytes() if file.exists() else b"" for file in files]

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _rows(self, sql: str, *values: object) -> list[Any]:
        """Nothing while there is no journal, or none that can be read yet."""
        if self._connection is None:
            if not self._path.exists():
                return []
            uri = f"{self._path.as_uri()}?mode=ro"
            self._connection = sqlite3.connect(uri, uri=True)
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error:
            self.close()
            return []


# --- moments to die at -------------------------------------------------------------------------


@dataclass(frozen=True)
class Moment:
    """Die `after_s` after the n-th record of a kind; of none: after the start."""

    name: str
    kind: str
    count: int
    after_s: float
    holding: str = ""
    is_stopping: bool = False

    def __str__(self) -> str:
        return f"{self.name}+{1000 * self.after_s:.1f}ms"


def draw(rng: random.Random) -> Moment:
    """Windows of a millisecond around what matters, and plain moments of starting and quoting."""
    soon = rng.uniform(0.0, 0.0015)
    moments: list[tuple[int, Callable[[], Moment]]] = [
        (3, lambda: Moment("start", "", 0, rng.uniform(0.0, 1.2))),
        (2, lambda: Moment("session", "SessionStarted", 1, rng.uniform(0.0, 0.3))),
        (3, lambda: Moment("asking", "StateChanged", 1, rng.uniform(0.0, 0.03), "RECONCILING")),
        (6, lambda: Moment("intent", "OrderIntent", 1, soon)),
        (5, lambda: Moment("later intent", "OrderIntent", rng.randint(5, 16), soon)),
        (3, lambda: Moment("report", "OrderReport", rng.randint(1, 6), soon)),
        (3, lambda: Moment("cancel", "Cancel", rng.randint(1, 3), soon)),
        (3, lambda: Moment("fill", "Fill", rng.randint(1, 2), soon)),
        (5, lambda: Moment("quoting", "OrderIntent", 1, rng.uniform(0.2, 3.0))),
        (3, lambda: Moment("stopping", "OrderIntent", 1, rng.uniform(0.0, 0.6), is_stopping=True)),
    ]
    return rng.choices([make for _, make in moments], [weight for weight, _ in moments])[0]()


def die(engine: Engine, moment: Moment) -> tuple[bool, int]:
    """One life. (Whether its moment came, the exit code that the kernel told)."""
    watch = Watch(engine.data / "journal.db")
    process = engine.start()
    deadline = time.monotonic() + PATIENCE_S
    has_come = not moment.kind
    while not has_come and time.monotonic() < deadline and process.poll() is None:
        if moment.count > 1 or moment.holding:
            has_come = watch.count(moment.kind, moment.holding) >= moment.count
        else:
            has_come = watch.has_begun(moment.kind)
        time.sleep(POLL_S)
    if moment.is_stopping:
        process.send_signal(signal.SIGTERM)
    time.sleep(moment.after_s)
    process.kill()
    watch.close()
    return has_come, process.wait()


# --- the run -----------------------------------------------------------------------------------


class Run:
    """All lives, what each left behind, and what was violated."""

    def __init__(self, directory: Path, times: int, seed: int) -> None:
        self._rng = random.Random(seed)
        self._times, self._seed = times, seed
        self._venue = LoopbackVenue(directory, seed)
        self._engine = Engine(directory, self._venue)
        self.violations: list[str] = []
        self.counts: Counter[str] = Counter()
        self.moments: Counter[str] = Counter()

    def all(self) -> dict[str, Any]:
        try:
            for number in range(1, self._times + 1):
                self._one(number)
            return self._last()
        finally:
            self._venue.stop()

    def _one(self, number: int) -> None:
        moment = draw(self._rng)
        has_come, code = die(self._engine, moment)
        broken = self._engine.verify()
        journal, left = self._engine.journal(), self._venue.truth()
        for check in ALWAYS:
            broken += check(journal, left)
        broken = self._new(broken)
        if code not in (-signal.SIGKILL, 0) or (code == 0 and not moment.is_stopping):
            broken += self._new([f"kill {number}: the engine left by itself with exit code {code}"])
        dead_s = self._rng.uniform(0.2, 2.0) if self._rng.random() < 0.5 else 0.0
        time.sleep(dead_s)
        trades = self._venue.trades() if dead_s else left.trades
        missed = len({trade["id"] for trade in trades} - journal.trade_ids())
        open_orders = len(left.open_orders)
        self._note(journal, left)
        self.counts["open_at_kill"] += open_orders
        self.counts["missed_fills"] += missed
        self.moments[moment.name if has_come else f"{moment.name} (never came)"] += 1
        states = journal.of("StateChanged")
        state = states[-1]["after"] if states else "no journal"
        print(
            f"kill {number:3} {moment!s:<24} {'' if has_come else 'never came '}{state:<12} "
            f"open {open_orders:2}  missed {missed}  dead {dead_s:.1f} s"
            + "".join(f"\n  VIOLATED {text}" for text in broken),
            flush=True,
        )

    def _new(self, broken: list[str]) -> list[str]:
        """Every violation once: what is in a journal once is found after each later kill."""
        found = [text for text in broken if text not in self.violations]
        self.violations += found
        return found

    def _note(self, journal: Journal, left: Venue) -> None:
        """How often the windows were hit: meant and never sent; sent and never answered."""
        starts = [i for i, row in enumerate(journal.rows) if row["kind"] == "SessionStarted"]
        life = Journal(journal.rows[starts[-1] :] if starts else [])
        known = {order["clientOrderId"] for order in left.orders}
        told = {row["client_id"] for kind in ("OrderReport", "Fill") for row in life.of(kind)}
        failed = {row["client_id"] for row in life.of("OrderFailed")}
        meant = set(life.intents())
        self.counts["killed_unsent"] += len(meant - known - failed)
        self.counts["killed_unanswered"] += len((meant & known) - told)

    def _last(self) -> dict[str, Any]:
        """One life to the end: quote, stop in order, and let everything be compared."""
        watch = Watch(self._engine.data / "journal.db")
        process = self._engine.start()
        deadline = time.monotonic() + LAST_PATIENCE_S
        while not watch.count("OrderIntent") and time.monotonic() < deadline:
            time.sleep(0.05)
        watch.close()
        time.sleep(LAST_RUN_S)
        stop_code, said = self._engine.stop()
        try:
            code = process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        broken = self._engine.verify()
        if (stop_code, code) != (0, 0):
            broken.append(f"stop left with {stop_code} and the engine with {code}: {said.strip()}")
        journal, truth = self._engine.journal(), self._venue.truth(with_balances=True)
        for check in AT_REST:
            broken += check(journal, truth)
        self._new(broken)
        return {
            "ok": not self.violations,
            "kills": self._times,
            "seed": self._seed,
            "sessions": len(journal.of("SessionStarted")),
            "intents": len(journal.of("OrderIntent")),
            "orders": len(truth.orders),
            "fills": len(truth.trades),
            "missed_fills": self.counts["missed_fills"],
            "open_at_kill": self.counts["open_at_kill"],
            "killed_unsent": self.counts["killed_unsent"],
            "killed_unanswered": self.counts["killed_unanswered"],
            "open_orders": len(truth.open_orders),
            "journal_records": len(journal.rows),
            "moments": dict(self.moments),
            "violations": self.violations,
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=20, help="how often to kill")
    parser.add_argument("--seed", type=int, default=1, help="of the moments and of the market")
    parser.add_argument("--json", action="store_true", help="one object on the last line")
    parser.add_argument("--keep", type=Path, help="an empty directory for journal and log")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        directory = wanted.keep or Path(scratch)
        directory.mkdir(parents=True, exist_ok=True)
        summary = Run(directory, wanted.times, wanted.seed).all()
    if wanted.json:
        print(json.dumps(summary))
    else:
        for name, value in summary.items():
            print(f"{name:<18} {value}")
    return 0 if summary["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
