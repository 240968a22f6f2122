"""The whole engine with a treasury that acts, and a simulated chain that outlives its processes.

The watch is the real one; it looks once in every turn of the world. `deadly` kills the process
between two records (`treasury_world`), `dies` around the chain: before an order is handed over,
or after, before anybody heard of it.
"""

import asyncio
from typing import Any

import msgspec

from engine.runtime.chain_watch import ChainWatch, Driver
from engine.runtime.signing import verify
from engine.runtime.simulated_chain import SimulatedNode
from engine.sim.chain import ChainParams, SimulatedChain
from engine.trading.action_work import ActionWork, Asking
from engine.trading.chain_work import ChainWork
from engine.trading.steward import Steward
from engine.trading.treasury_work import TreasuryWork
from engine.treasury.action_desk import ActionDesk
from engine.treasury.chain_params import ChainSection
from engine.treasury.liquid import LiquidParams
from engine.treasury.params import PlaceKind, PlaceParams
from engine.treasury.treasury import Treasury
from engine.values.action_words import AddToPool, Coins, Stake, TakeFromPool, Transfer, Unstake
from engine.values.chain_words import (
    ChainOrder,
    ChainReceipt,
    ChainReward,
    ChainStatus,
    Position,
    PositionKind,
)
from engine.values.units import Ns
from tests.action_builders import ROSTER, authority, bounds, row
from tests.hedge_world import S
from tests.treasury_world import SCHEME, SCORES, Died, M, TreasuryWorld

WALLET, VAULT = "cold wallet", "vault"
UNIT = 10**8
NOTICE_NS = 20 * S
CHAIN = ChainParams(
    block_ns=S, inclusion_blocks=1, confirmations=2, reverted_ppm=0, lost_ppm=0,
    notices={"p": NOTICE_NS, "pool": 5 * S},
)  # fmt: skip
OPENING = {"BTT": 100 * M * UNIT, "USDT": 1_000 * UNIT}
SECTION = ChainSection(
    places=[WALLET], every_s=0.5, expires_s=30, transfer_s=600, float_code="shortfall"
)


def coins(asset: str, amount: int) -> Coins:
    return Coins(asset=asset, atoms=amount * UNIT, exponent=8)


def stake(tokens: int) -> Stake:
    return Stake(coins=coins("BTT", tokens), platform="p", address="0x1", notice_ns=NOTICE_NS)


def unstake(tokens: int) -> Unstake:
    return Unstake(coins=coins("BTT", tokens), platform="p", address="0x1")


def add_to_pool(tokens: int, money: int) -> AddToPool:
    both = [coins("BTT", tokens), coins("USDT", money)]
    return AddToPool(pool="pool", address="0x1", coins=both)


def take_from_pool(tokens: int, money: int) -> TakeFromPool:
    both = [coins("BTT", tokens), coins("USDT", money)]
    return TakeFromPool(pool="pool", address="0x1", coins=both)


def sent(tokens: int, to_place: str = VAULT) -> Transfer:
    return Transfer(
        coins=coins("BTT", tokens), from_place=WALLET, to_place=to_place, network="tron",
        address="TXabc123", memo="",
    )  # fmt: skip


ADDRESSES = [
    {"place": WALLET, "network": "tron", "memo": "", "address": "TXabc123"},
    {"place": "loopback", "network": "", "memo": "", "address": "TXstake"},
    {"place": VAULT, "network": "tron", "memo": "", "address": "TXabc123"},
    {"place": "loopback", "network": "tron", "memo": "", "address": "TXabc123"},
    {"place": "p", "network": "", "memo": "", "address": "0x1"},
    {"place": "pool", "network": "", "memo": "", "address": "0x1"},
]


class Node(SimulatedNode):
    """The chain's end of the line; it may end our process around an order."""

    dies = ""
    handed: list[str]

    async def send(self, order: ChainOrder) -> None:
        self.handed.append(order.reference)
        if self.dies == "before":
            self.dies = ""
            raise Died
        await super().send(order)
        if self.dies == "after":
            self.dies = ""
            raise Died


class Custody:
    """The venue's own withdrawals and staking, behind the same port: it takes at once."""

    def __init__(self, world: "ChainWorld") -> None:
        self._world = world
        self.orders: dict[str, ChainOrder] = {}

    async def send(self, order: ChainOrder) -> None:
        if self.orders.setdefault(order.reference, order) is order:
            assert isinstance(order.action, Transfer | Stake)
            self._world.position -= order.action.coins.atoms // UNIT

    async def found(self, reference: str) -> ChainReceipt | None:
        known = reference in self.orders
        return ChainReceipt(
            reference=reference, status=ChainStatus.CONFIRMED, at_ns=self._world.now, why=""
        ) if known else None  # fmt: skip

    async def positions(self) -> list[Position]:
        actions = [order.action for order in self.orders.values()]
        return [
            Position(
                name=one.platform, kind=PositionKind.STAKED, coins=[one.coins],
                notice_ns=one.notice_ns, back_ns=0,
            )
            for one in actions if isinstance(one, Stake)
        ]  # fmt: skip

    async def balances(self) -> list[Coins]:
        return []

    async def rewards(self) -> list[ChainReward]:
        return []


class ChainWorld(TreasuryWorld):
    """`section` None is an engine without a chain. `node` is the chain, for every session."""

    def __init__(self, **changes: Any) -> None:
        self.section: ChainSection | None = changes.pop("section", SECTION)
        params = changes.pop("params", CHAIN)
        self.node: Node
        self.custody: Custody
        self._changes = params
        self.words: list[Any] = []
        super().__init__(begin=[ROSTER], policy=changes.pop("policy", policy()), **changes)

    def start(self) -> None:
        if not hasattr(self, "node"):
            opening = {
                asset: Coins(asset=asset, atoms=atoms, exponent=8)
                for asset, atoms in OPENING.items()
            }
            chain = SimulatedChain(self._changes, opening, 1, self.now)
            self.node = Node(chain, lambda: self.now)
            self.node.handed = []
            self.custody = Custody(self)
        super().start()
        hands = self.work.chain
        self.watch = None
        if hands is not None and self.section is not None:
            driver = Driver(begun=hands, durable=self._durable, clock=self, tell=self.alerts.append)
            chains = {WALLET: self.node, "loopback": self.custody}
            self.watch = ChainWatch(self.section, chains, driver)

    def now_ns(self) -> Ns:
        return self.now

    async def _durable(self) -> None:
        """The journal of this world keeps what it is given at once."""

    def put(self, event: Any) -> None:
        self.words.append(event)

    def _work(self) -> TreasuryWork:
        wallet = PlaceParams(name=WALLET, kind=PlaceKind.WALLET, cash_h=0, sells_at="loopback")
        places = {WALLET: wallet, VAULT: msgspec.structs.replace(wallet, name=VAULT)}
        scheme = msgspec.structs.replace(SCHEME, places={**SCHEME.places, **places})
        treasury = Treasury(scheme, LiquidParams(token="BTT", within_h=24), [SCORES])
        actions = ActionWork(
            ActionDesk(self.policy, verify), None, Asking(function="rebates", code="excess")
        )
        chain = None if self.section is None else ChainWork(self.section, scheme)
        return TreasuryWork(Steward(treasury, []), actions, None, chain)

    def turn(self) -> None:
        super().turn()
        if self.watch is not None:
            self.words.clear()
            asyncio.run(self.watch.turn(self))
            for word in list(self.words):
                self.feed(word)

    # --- what a test looks at

    @property
    def parents(self) -> dict[str, Any]:
        """Nothing is converted here."""
        return {}

    @property
    def holdings(self) -> Any:
        return self.work.steward.treasury.holdings

    def held(self, place: str, asset: str = "BTT") -> int:
        return (self.holdings.held(place, asset) or 0) // UNIT

    @property
    def locks(self) -> list[tuple[str, str, int]]:
        """Kind, place and whole units."""
        return [
            (row.kind.value, row.place, row.atoms // UNIT) for row in self.holdings.facts().locks
        ]

    @property
    def total(self) -> int:
        """All BTT that the treasury counts, but for the venue's."""
        beside = sum(row.atoms for row in self.holdings.facts().locks if row.asset == "BTT")
        return self.held(WALLET) + self.held(VAULT) + beside // UNIT

    @property
    def executed(self) -> int:
        """Orders that the chain took."""
        return len(self.node.chain._sent)


def policy() -> Any:
    return authority(
        addresses=ADDRESSES, codes=["excess", "outage", "policy", "shortfall"],
        rows=[
            row("limits", "two people", kind=["widen limit"]),
            row("medium", "two people", **bounds("900000", "2000000", "90000000", "400000000")),
            row("the rest", "executive"),
        ],
    )  # fmt: skip
