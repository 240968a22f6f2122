"""What an engine that does not run left behind: the picture of its account, from its journal.

Never larger than the truth: whatever of its orders may still stand counts as filled where that
leaves less, and as not filled where that leaves more exposure (law 3). Its books are gone, so
that nothing has a price but by what people tell.
"""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, get_args

import msgspec

from engine.cli.rebuild import config_of
from engine.cli.stopped_locks import ChainLocks, all_locks
from engine.cli.treasury_books import instruments_of
from engine.cli.whereabouts import Whereabouts
from engine.runtime.config import Config
from engine.runtime.control import NotRunning
from engine.runtime.journal_reader import Row, read, read_last
from engine.runtime.operating import moment_text
from engine.runtime.recording import DIRECTORY_NAME, sessions
from engine.runtime.treasury_facts import FactsFile, moment_ns, parse_facts, scheme_of
from engine.runtime.treasury_file import TreasuryFile
from engine.trading.keeper import Keeper, KeeperParams
from engine.trading.moved_money import moved_at
from engine.trading.portfolio import OPENING, Portfolio
from engine.trading.steward import Steward
from engine.trading.treasury_told import lock_told
from engine.treasury.facts import Facts
from engine.treasury.treasury import Treasury
from engine.values.errors import UserError
from engine.values.instrument import Instrument
from engine.values.ledger_words import HoldingsRead, LedgerWord
from engine.values.treasury_words import Lock, LockSet
from engine.values.units import NS_PER_S, PPM, Atoms, Ns, decimal_text

KINDS = (
    "Listed", "Opening", "Adjusted", "OrderIntent", "OrderReport", "OrderFailed", "CancelFailed",
    "OrderAbsent", "Fill", "Cancel", "CancelAll", "HedgeMoved", "FloatSet", "PriceReviewed",
    "LimitsSet", "LimitWidened", "LockSet",
    *(kind.__name__ for kind in get_args(LedgerWord)),
)  # fmt: skip
ENDED = "SessionEnded"
READ = "VenueState"
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """`table` is the picture as a running engine would tell it, but for the books.

    as_of_ns: the last moment of which the journal knows. read_ns: when the engine last read the
    account at the venue, 0 for never. orders: how many may still stand. is_ended: it said farewell.
    """

    table: dict[str, Any]
    as_of_ns: Ns
    read_ns: Ns
    orders: int
    is_ended: bool

    @property
    def mark(self) -> str:
        """The moment that it is of: the same words whenever they are read."""
        return f"no engine runs, as of {moment_text(self.as_of_ns)}{self._worst}"

    def note(self, now_ns: Ns) -> str:
        """How old all that is, in one plain line."""
        age, read = ago(now_ns - self.as_of_ns), "never"
        if self.read_ns:
            read = ago(now_ns - self.read_ns)
        return (
            f"NO ENGINE RUNS: as of {moment_text(self.as_of_ns)}, {age}; account last read at the "
            f"venue: {read}{self._worst}; no book, and no price but what --facts tells"
        )

    @property
    def _worst(self) -> str:
        if self.orders:
            return f"; {self.orders} orders may stand there, each counts at its worst"
        return "" if self.is_ended else "; it ended without a word, and left no order"


def left_by(where: Whereabouts, file: TreasuryFile, others: list[FactsFile], now_ns: Ns) -> Left:
    """The picture of now, or of the moment of what people tell beside it, and without the places
    that they tell of. Raises UserError where there is no journal, or it cannot be read."""
    if not where.journal.is_file():
        raise NotRunning(f"no engine is running at {where.at}, and it left no journal there")
    rows = list(read(where.journal, kinds=KINDS))
    account = _Account(instruments_of(where.journal, rows), file)
    for row in rows:
        account.remember(row)
    [last] = read_last(where.journal, 1)
    seen = read_last(where.journal, 1, (READ,))
    moments = [moment_ns(one.at, "--facts: at") for one in others]
    table = account.picture(moment_text(max([last.at_ns, *moments]) if moments else now_ns))
    stated = (row for row in _statements(where) if row["place"] not in account.places)
    table["balances"] += stated
    if chained := account.locks:
        locks = all_locks(chained, file, last.at_ns)
        table["locks"] = [lock_told(row, account.facts, moment_text) for row in locks]
    return Left(
        table=_without(table, others),
        as_of_ns=last.at_ns,
        read_ns=seen[0].at_ns if seen else 0,
        orders=account.orders,
        is_ended=last.kind == ENDED,
    )


def _without(table: dict[str, Any], others: list[FactsFile]) -> dict[str, Any]:
    """The picture without what people told themselves: their word is newer."""
    places = {row.place for one in others for row in one.balances}
    spent = {row.asset for one in others for row in one.spent}
    covered = {name for one in others for name in one.covered}
    return table | {
        "balances": [row for row in table["balances"] if row["place"] not in places],
        "may_fill": [row for row in table["may_fill"] if row["venue"] not in places],
        "spent": [row for row in table["spent"] if row["asset"] not in spent],
        "covered": {k: text for k, text in table["covered"].items() if k not in covered},
    }


def ago(age_ns: Ns) -> str:
    """`12 s ago`, `3 min ago`, `5 h ago`, `2 d ago`: rounded up, never younger than it is."""
    age_s = -(-max(0, age_ns) // NS_PER_S)
    for unit_s, name in ((MINUTE_S, "s"), (HOUR_S, "min"), (DAY_S, "h")):
        if age_s < 2 * unit_s:
            step_s = {"s": 1, "min": MINUTE_S, "h": HOUR_S}[name]
            return f"{-(-age_s // step_s)} {name} ago"
    return f"{-(-age_s // DAY_S)} d ago"


class _Account:
    """Orders and money of every venue as a start would find them, and what the treasury counts."""

    def __init__(self, items: dict[str, Instrument], file: TreasuryFile) -> None:
        self._items = items
        self._keepers = {
            venue: Keeper(
                [item for item in items.values() if item.venue == venue],
                KeeperParams(reconcile_every_ns=NS_PER_S),
                lambda _: True,
            )
            for venue in dict.fromkeys(item.venue for item in items.values())
        }
        scheme = scheme_of(file)
        self._exponents = {name: scheme.asset(name).exponent for name in scheme.names()}
        self._read: dict[str, dict[str, Atoms]] = {}
        self._treasury = Treasury(scheme, file.liquid, [])
        self._steward = Steward(self._treasury, ())
        self._steward.know(items)
        self._chain = ChainLocks()

    def remember(self, row: Row) -> None:
        for venue, keeper in self._keepers.items():
            keeper.remember(row.record)
            if isinstance(row.record, LedgerWord):
                _move(row.record, venue, keeper.portfolio)
        if isinstance(row.record, LedgerWord):
            self._elsewhere(row.record)
        self._chain.remember(row.record)
        if not isinstance(row.record, LockSet):  # it may name what today's file does not
            self._steward.remember(row.record)

    def _elsewhere(self, word: LedgerWord) -> None:
        """A wallet that a chain read, and what was moved there since."""
        if isinstance(word, HoldingsRead) and word.venue not in self._keepers:
            self._read[word.venue] = dict(word.atoms)
        for place, atoms in self._read.items():
            for asset, moved in moved_at(word, place):
                atoms[asset] = max(0, atoms.get(asset, 0) + moved)

    @property
    def places(self) -> set[str]:
        """Places beside our venues of which something better than a statement spoke."""
        return set(self._read)

    @property
    def locks(self) -> list[Lock]:
        """What only a chain knows to be locked, of the assets and places of the file."""
        scheme = self._treasury.holdings.scheme
        return [
            row
            for row in self._chain.rows()
            if row.place in scheme.places and row.asset in self._exponents
        ]

    @property
    def facts(self) -> Facts:
        return self._treasury.holdings.facts()

    @property
    def orders(self) -> int:
        """How many may still stand at their venue."""
        return sum(len(self._keepers[i.venue].orders.live(m)) for m, i in self._items.items())

    def picture(self, at: str) -> dict[str, Any]:
        plain = {"at": at, "balances": list(self._balances()), "books": [],
                 "may_fill": list(self._may_fill())}  # fmt: skip
        table = self._steward.account(plain, moment_text)
        del table["locks"]  # of what is locked today's files speak, and the chain's last words
        for row in table["balances"]:
            if "working" in row:
                row["working"] = min(row["working"], row["amount"], key=Decimal)
        return table

    def _balances(self) -> Iterator[dict[str, str]]:
        for venue, keeper in self._keepers.items():
            portfolio, out = keeper.portfolio, self._out(venue)
            for asset, atoms in sorted(portfolio.expected_balances().items()):
                amount = decimal_text(max(0, atoms - out[asset]), portfolio.exponent(asset))
                yield {"place": venue, "asset": asset, "amount": amount}
        for place, held in self._read.items():
            for asset, atoms in held.items():
                if asset in self._exponents:
                    amount = decimal_text(atoms, self._exponents[asset])
                    yield {"place": place, "asset": asset, "amount": amount}

    def _out(self, venue: str) -> dict[str, Atoms]:
        """The most that what may stand could still take, by asset, fees and all."""
        keeper, out = self._keepers[venue], defaultdict[str, Atoms](int)
        for market in keeper.portfolio.markets:
            item = self._items[market]
            for order in keeper.orders.active(market):
                flows = item.flows(order.side, order.tick, order.working_lots)
                for asset, atoms in zip((item.base, item.quote), flows, strict=True):
                    fee = abs(atoms) * max(item.maker_fee_ppm, item.taker_fee_ppm, 0) // PPM + 1
                    worst = (max(0, -atoms) + fee) if order.working_lots else 0
                    out[asset] += worst * keeper.portfolio.finer(market, asset)
        return out

    def _may_fill(self) -> Iterator[dict[str, str]]:
        """Beside open buys what sales were taken off for: exposure counts as if none was sold."""
        for market, item in self._items.items():
            bids, asks = self._keepers[item.venue].orders.working_lots(market)
            lots = bids + asks
            yield {"venue": item.venue, "asset": item.base, "tokens": item.size_text(lots)}


def _move(word: LedgerWord, venue: str, portfolio: Portfolio) -> None:
    """What people moved there since the account was opened, as a start expects it."""
    for asset, atoms in moved_at(word, venue):
        if OPENING in portfolio.accounts(asset):
            portfolio.adjust(asset, atoms, word.at_ns)


def _statements(where: Whereabouts) -> list[dict[str, Any]]:
    """Balances that no venue shows, from the files that its config names."""
    config = where.config or _recorded(where)
    if config is None or config.treasury is None:
        return []
    found = []
    for name in config.treasury.statements:
        told = parse_facts(msgspec.json.decode(config.treasury_texts[name]), name)
        found += [msgspec.to_builtins(row) for row in told.balances]
    return [{key: text for key, text in row.items() if text is not None} for row in found]


def _recorded(where: Whereabouts) -> Config | None:
    """The config of the last session that was recorded, None for none that can be read."""
    if not (where.home / DIRECTORY_NAME).is_dir():
        return None
    try:
        return config_of(sessions(where.home)[-1].header)
    except UserError:
        return None
