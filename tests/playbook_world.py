"""A loopback venue whose market does what a test says, and an engine that runs by a playbook.

BTT/USDT is quoted; BTC/USDT is watched, and its regime is told by the hours that the venue has of
it when the engine starts. Memories are seconds long, so that a trend is one within a test, and over
some seconds later. No ruling and no decision is missed: a test that waits for one finds it though
another has followed.
"""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import tomlkit

from adapters.loopback.config import VenueConfig, atoms, btc_usdt, btt_usdt
from adapters.loopback.keys import KeyPair
from adapters.loopback.klines import HOUR_MS, Candle
from adapters.loopback.orders import Order
from adapters.loopback.venue import LoopbackVenue
from engine.runtime.journal_reader import read
from engine.sim.matching.book import MatchingBook
from engine.sim.matching.flow import Act
from engine.sim.matching.terms import CancelOf, Kind, NewOrder, TimeInForce
from engine.trading.policy_ruling import Ruling
from engine.values.events import RatingLabel, RatingSet
from engine.values.records import Decision, HedgeMoved, Ruled
from engine.values.units import BUY, NS_PER_MS, NS_PER_S, SELL, Lot, Ns, Side, Tick
from tests.live_world import ACCOUNT, MARKET, SYMBOL, LiveWorld, Setting, live_world
from tests.patience import RanOut

COIN_SYMBOL = "BTCUSDT"
BROAD = "BTC/USDT@loopback"
STEP_NS = 50 * NS_PER_MS
OWNER, TAKER = "~stage", "~taker"
LOTS = 6_000_000
BTC_TICK = 6_000_000
HOURS = 400
ANEW = 10
MOVE = {
    "fast_half_life_s": 0.4, "slow_half_life_s": 8.0, "warm_up_s": 1.5, "age_max_s": 2.0,
}  # fmt: skip


class Stage:
    """Fulfils `Flow`: the levels that a test wants, a best bid that comes and goes, trades.

    `depth` multiplies all sizes. The best bid is away every other `wobble_s`, which is all the
    volatility there is. `trades` lots and a few are bought and sold each `STEP_NS`, never twice in
    a row as many: a gap in money that comes again and again is a gap to an engine. `shift` moves
    all ticks.
    """

    def __init__(self, centre: Tick, lots: Lot, ids: Callable[[], int]) -> None:
        self.depth = 1.0
        self.wobble_s = 2.0
        self.trades: Lot = 20_000
        self.shift: Tick = 0
        self._centre, self._lots, self._ids = centre, lots, ids
        self._standing: dict[tuple[Side, Tick], NewOrder] = {}
        self._turn = 0

    def opening(self) -> Sequence[Act]:
        return self._wanted(self._levels(0))

    def next_ns(self, now_ns: Ns) -> Ns:
        return now_ns + STEP_NS

    def step(self, now_ns: Ns, book: MatchingBook) -> Sequence[Act]:
        self._turn += 1
        acts = self._wanted(self._levels(now_ns))
        if self.trades:
            side, far = (BUY, 10) if self._turn % 2 else (SELL, -10)
            tick = self._centre + self.shift + far
            acts.append(
                NewOrder(
                    order_id=self._ids(), owner=TAKER, side=side, tick=tick,
                    lots=self.trades + 10 * (self._turn % 97),
                    kind=Kind.LIMIT, tif=TimeInForce.IOC,
                )
            )  # fmt: skip
        return acts

    def _levels(self, now_ns: Ns) -> dict[tuple[Side, Tick], Lot]:
        centre, lots = self._centre + self.shift, int(self._lots * self.depth)
        levels = {(SELL, centre + away): lots for away in (1, 2, 3, 4)}
        levels |= {(BUY, centre - away): lots for away in (1, 2, 3, 4)}
        if self.wobble_s and int(now_ns / NS_PER_S / self.wobble_s) % 2:
            del levels[BUY, centre - 1]
        # One lot to and fro, so that there is always a frame to quote by.
        levels[SELL, centre + 4] += self._turn % 2
        return levels

    def _wanted(self, levels: dict[tuple[Side, Tick], Lot]) -> list[Act]:
        anew = self._turn % ANEW == 0  # what was taken comes back
        gone = [o for key, o in self._standing.items() if anew or levels.get(key) != o.lots]
        acts: list[Act] = [CancelOf(order_id=order.order_id, owner=OWNER) for order in gone]
        for order in gone:
            del self._standing[order.side, order.tick]
        for (side, tick), lots in levels.items():
            if (side, tick) not in self._standing:
                order = NewOrder(order_id=self._ids(), owner=OWNER, side=side, tick=tick, lots=lots)
                self._standing[side, tick] = order
                acts.append(order)
        return acts


def hours(path: Callable[[int], float], scale: float, wick: Tick) -> list[Candle]:
    """Hours up to now: `path` times `scale` gives the close of each in ticks, oldest first."""
    start_ms = time.time_ns() // 1_000_000 // HOUR_MS * HOUR_MS - (HOURS - 1) * HOUR_MS
    made, before = [], round(path(0) * scale)
    for index in range(HOURS):
        open_ms, close = start_ms + index * HOUR_MS, round(path(index) * scale)
        high, low = max(before, close) + wick, min(before, close) - wick
        made.append(
            Candle(
                open_ms=open_ms, close_ms=open_ms + HOUR_MS - 1, first=before, high=high, low=low,
                last=close, lots=1_000, count=10,
            )
        )  # fmt: skip
        before = close
    return made


def stable(index: int) -> float:
    return 60_000.0 + 100.0 * (index % 3)


def weak(index: int) -> float:
    """A tenth below the week's high, after a fall that ended two days ago."""
    return stable(index) * (1.0 - 0.1 * min(1.0, max(0, index - (HOURS - 120)) / 60))


def breaking(index: int) -> float:
    """The last closes lie well below everything of the days before."""
    return stable(index) * (1.0 if index < HOURS - 4 else 0.97 - 0.01 * (index - (HOURS - 4)))


class PlaybookWorld:
    """A live world with a stage, told in the words of the playbook."""

    def __init__(self, world: LiveWorld, stage: Stage) -> None:
        self.world = world
        self.stage = stage
        self.ruled: list[Ruling] = []
        self.decided: list[Decision] = []
        self._told = 0
        self._told_ns = 0
        world.on_seen = self._note
        self._stood: list[tuple[Ns, list[tuple[Side, Lot]]]] = []
        store = world.venue.exchange.store
        add = store.add

        def added(order: Order) -> None:
            add(order)
            orders = [(each.side, each.lots_left) for each in store.open_orders(ACCOUNT)]
            self._stood.append((order.created_ns, orders))

        store.add = added  # type: ignore[method-assign]

    def _note(self) -> None:
        made = self.world.acted[-1].step.records
        self.decided += [record for record in made if isinstance(record, Decision)]
        ruling = self.world.maker.quoter.guidance.ruling
        if ruling is not None and (not self.ruled or self.ruled[-1] is not ruling):
            self.ruled.append(ruling)

    @property
    def ruling(self) -> Ruling:
        ruling = self.world.maker.quoter.guidance.ruling
        assert ruling is not None
        return ruling

    @property
    def row(self) -> str:
        return self.world.maker.quoter.guidance.row

    async def rate(self, label: str, *, s: float = 600.0, voted: int | None = 26) -> None:
        now_ns = self.world.live.clock.now_ns()
        self._told, self._told_ns = len(self.ruled), now_ns
        await self.world.live.tell(
            RatingSet(
                market=MARKET, at_ns=now_ns, label=RatingLabel(label),
                expires_ns=now_ns + int(s * NS_PER_S), source="test", voted=voted,
            )
        )  # fmt: skip

    async def rules(self, row: str, is_it: Callable[[Ruling], Any] = lambda ruling: True) -> Ruling:
        """The first ruling of such a row since the last rating was told; it may be over."""

        def found() -> Ruling | None:
            since = self.ruled[self._told :]
            return next((r for r in since if row in r.posture.row and is_it(r)), None)

        ruling = await self.until(found, f"row {row!r}")
        assert isinstance(ruling, Ruling)
        return ruling

    async def decides(self, is_it: Callable[[Decision], Any], what: str) -> Decision:
        """The first such decision since the last rating was told; it may be over."""

        def found() -> Decision | None:
            since = (each for each in self.decided if each.at_ns >= self._told_ns)
            return next((each for each in since if is_it(each)), None)

        decision = await self.until(found, what)
        assert isinstance(decision, Decision)
        return decision

    async def until(self, is_so: Callable[[], Any], what: str) -> Any:
        try:
            return await self.world.until(is_so, what)
        except RanOut as error:
            told = self.world.maker.quoter.guidance.told(self.world.live.clock.now_ns())
            says = [question["says"] for question in told.get("questions", [])]
            raise RanOut(f"{error}; {self.row}; {says}") from error

    async def known(self) -> None:
        """Every question has an answer but the signal, perhaps."""
        await self.until(
            lambda: not {"unknown"} & set(self._answers()[1:]), "an answer to every question"
        )

    def _answers(self) -> list[str]:
        answers = self.ruling.answers
        return [
            str(answer.value)
            for answer in (
                answers.signal, answers.inventory, answers.btc, answers.depth,
                answers.volatility, answers.book, answers.turnover,
            )
        ]  # fmt: skip

    def sizes(self, side: Side) -> list[Lot]:
        """What stands at the venue, by price."""
        orders = self.world.venue.exchange.store.open_orders(ACCOUNT)
        return [o.lots_left for o in sorted(orders, key=lambda o: o.tick) if o.side is side]

    def stood(self, side: Side) -> list[list[Lot]]:
        """What stood at the venue whenever it had taken an order, since the last rating."""
        return [
            [lots for each, lots in orders if each is side]
            for at_ns, orders in self._stood
            if at_ns >= self._told_ns
        ]

    def records(self, kind: type[Any]) -> list[Any]:
        return [r for acted in self.world.acted for r in acted.step.records if isinstance(r, kind)]

    def rulings(self) -> list[Ruled]:
        return self.records(Ruled)

    def moves(self) -> list[HedgeMoved]:
        return self.records(HedgeMoved)

    def journaled(self, kind: str) -> list[Any]:
        return [row.record for row in read(self.world.config.journal_path, kinds=(kind,))]


def largest(decision: Decision, side: Side) -> Lot:
    """What it would have stand; small differences to what stands already stay as they are."""
    return max((level.lots for level in decision.ladder.side(side)), default=0)


def quick_playbook(**changes: dict[str, Any]) -> str:
    """The shipped playbook with memories of seconds; `changes` by table."""
    root = Path(__file__).resolve().parent.parent
    table: Any = tomlkit.parse((root / "configs" / "playbook.toml").read_text()).unwrap()
    outlook = table["outlook"]
    for name in ("depth", "volatility", "turnover"):
        outlook[name] |= MOVE
    outlook["turnover"]["slow_half_life_s"] = 6.0
    table["rules"] |= {
        "persistence_s": 2.0, "size_step_every_s": 0.2, "signal_cap": "8000000",
        "rating_age_max_s": 600.0, "votes_needed": False,
    }  # fmt: skip
    seconds = {"cool_down_s": 0.5}
    for stage in ("stage_1", "stage_2", "stage_3"):
        table["hedge"][stage] |= seconds
    table["hedge"] |= {
        "persistence_s": 1.0, "child_every_s": 0.2, "urgent_every_s": 0.1, "day_cost_max": "50",
        "slippage_bps_max": 400.0,
    }  # fmt: skip
    for name, values in changes.items():
        at = table
        for part in name.split("__"):
            at = at[part]
        at |= values
    return tomlkit.dumps(table)


@asynccontextmanager
async def playbook_world(
    tmp_path: Path,
    btc: Callable[[int], float] = stable,
    *,
    held: str = "200000000",
    depth: float = 1.0,
    playbook: dict[str, dict[str, Any]] | None = None,
    params: dict[str, Any] | None = None,
    token: Callable[[int], float] | None = None,
    change: Callable[[dict[str, Any]], None] = lambda table: None,
    whole: Callable[[dict[str, Any]], None] = lambda table: None,
) -> AsyncIterator[PlaybookWorld]:
    """An engine that quotes BTT/USDT by the shipped playbook. `held` is the account's BTT,
    `depth` that of the stage from the beginning.

    `btc` and `token` give the hourly closes of the past (USDT, ticks); `change` what else is to be
    different in the market's own table, `whole` in the config's.
    """
    stages: list[Stage] = []

    def venue(pair: KeyPair) -> LoopbackVenue:
        ids = count(1).__next__
        stages.append(Stage(62, LOTS, ids))
        stages[0].depth = depth
        coin = Stage(BTC_TICK, 100_000, ids)
        config = VenueConfig(
            symbols=[btt_usdt(), btc_usdt()],
            keys=[pair.key],
            balances={ACCOUNT: {"BTT": atoms(held), "USDT": atoms("1000"), "BTC": 0}},
        )
        made = LoopbackVenue(config, {SYMBOL: stages[0], COIN_SYMBOL: coin}, ids=ids)
        made.exchange.markets[COIN_SYMBOL].klines.load("1h", hours(btc, 100.0, 6_000))
        if token is not None:
            made.exchange.markets[SYMBOL].klines.load("1h", hours(token, 1.0, 1))
        return made

    def changed(table: Any) -> None:
        file = tmp_path / "playbook.toml"
        file.write_text(quick_playbook(**(playbook or {})))
        table["watched"] = [{"symbol": "BTC/USDT", "venue": "loopback"}]
        mine = table["markets"][0]
        mine |= {"playbook": str(file), "broad": BROAD}
        mine["features"] |= {"volatility_half_life_s": 1.0}
        mine["rating"] = {"label": "neutral", "ttl_s": 600.0}
        mine["params"] |= params or {}
        change(mine)
        whole(table)
        for row in mine["risk"]:
            if row["check"] in ("volatility", "spread wide", "fills", "message rate"):
                row["threshold"] = row["release"] = 1e6

    setting = Setting(venue=venue, change=changed, is_ready=lambda world: bool(world.maker.view))
    async with live_world(tmp_path, setting=setting) as world:
        yield PlaybookWorld(world, stages[0])
