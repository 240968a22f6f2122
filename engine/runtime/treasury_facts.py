"""A picture of the moment as JSON: balances, prices and books, from a file or a running engine.

Amounts and prices are decimal text. Assets that the treasury file does not name are left out, and
so are books that are not quoted in money. Times are ISO 8601 with an offset.
"""

import math
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from engine.runtime.locks_told import LockTold, locks_told
from engine.runtime.person_file import read_bytes
from engine.runtime.treasury_file import TreasuryFile
from engine.treasury.amounts import Asset, Price
from engine.treasury.depth import LEVELS_MAX, DepthBook, Level
from engine.treasury.facts import Scheme, Spent, Volume
from engine.treasury.holdings import Holdings
from engine.values.errors import UserError
from engine.values.table_check import problems
from engine.values.treasury_words import FloatSet, Holding, HoldingsSeen, LimitRow
from engine.values.units import DECIMALS_MAX, NS_PER_S, PPM, Ns, Ppm, scaled

DAY_S = 86_400
FILE_BYTES_MAX = 20_000_000


class BalanceRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`working` is what the market maker has of it; left out, its float opens at the target."""

    place: str
    asset: str
    amount: str
    working: str | None = None


class PriceRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money for one whole token."""

    asset: str
    price: str
    at: datetime


class BookRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Levels as [price, size], best first, without our own orders."""

    venue: str
    asset: str
    quote: str
    at: datetime
    taker_fee_ppm: Ppm
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class MidRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money for one whole token: half way between the best two, when there were two."""

    venue: str
    asset: str
    price: str
    at: datetime


class SpentRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was bought and sold in the last 24 hours, in tokens and in money."""

    asset: str
    tokens: str
    money: str


class VolumeRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What anybody traded in 24 hours; `heard_s` of them are known, left out: all."""

    venue: str
    asset: str
    tokens: str
    at: datetime
    heard_s: int = DAY_S


class OpenRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What our open buys on a venue could still add."""

    venue: str
    asset: str
    tokens: str


class FactsFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`covered`: by asset, what hedges stand against. `mids`: the last of books that lost a side.

    `reviewed`: the prices at which the limits in money were last made; left out, today's.
    `locks`: all that is locked, in place of `locks.csv`; left out, what stands there.
    `limits`: those in force, which a treasury file may wish wider; left out, the file's.
    """

    at: datetime
    balances: list[BalanceRow]
    prices: list[PriceRow] = []
    books: list[BookRow] = []
    mids: list[MidRow] = []
    covered: dict[str, str] = {}
    may_fill: list[OpenRow] = []
    spent: list[SpentRow] = []
    volumes: list[VolumeRow] = []
    reviewed: list[PriceRow] = []
    locks: list[LockTold] | None = None
    limits: list[LimitRow] | None = None


def facts_file(path: Path) -> FactsFile:
    """Read and check a file of facts. Raises UserError with a line for each mistake."""
    content = read_bytes(path, FILE_BYTES_MAX)
    try:
        table = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{path}: not JSON: {error}") from error
    return parse_facts(table, str(path))


def parse_facts(table: Any, name: str) -> FactsFile:
    """`name` is what mistakes are reported under. Raises UserError."""
    found = problems(table, FactsFile, "")
    if found:
        raise UserError("\n".join(f"{name}: {problem}" for problem in found))
    return msgspec.convert(table, FactsFile)


def scheme_of(file: TreasuryFile) -> Scheme:
    return Scheme(
        money=file.money.asset,
        assets={asset.name: asset for asset in file.assets},
        places={place.name: place for place in file.places},
        buckets={row.asset: row for row in file.buckets},
    )


def told(holdings: Holdings, facts: FactsFile, name: str) -> Iterator[str]:
    """Tell the keeper each fact in turn, and yield what it was. Raises UserError naming a row."""
    at_ns = moment_ns(facts.at, f"{name}: at")
    holdings.pass_time(at_ns)
    if facts.locks is not None:
        holdings.learn(locks_told(facts.locks, holdings.scheme, at_ns, name))
        yield f"{name}: locks"
    for index, row in enumerate(facts.books):
        if row.quote == holdings.scheme.money.name and row.asset in holdings.scheme.assets:
            holdings.book(_book(row, holdings.scheme, f"{name}: books[{index}]"))
            yield f"{name}: book of {row.asset} on {row.venue}"
    for index, mid in enumerate(facts.mids):
        if mid.asset in holdings.scheme.assets:
            found = price_of(mid, holdings.scheme, f"{name}: mids[{index}]")
            holdings.mid(mid.venue, found)
            yield f"{name}: last mid of {mid.asset} on {mid.venue}"
    for index, price in enumerate(facts.prices):
        if price.asset in holdings.scheme.assets:
            holdings.price(price_of(price, holdings.scheme, f"{name}: prices[{index}]"))
            yield f"{name}: price of {price.asset}"
    for index, balance in enumerate(facts.balances):
        where = f"{name}: balances[{index}]"
        if balance.place not in holdings.scheme.places:
            raise UserError(f'{where}.place: "{balance.place[:40]}" is none of [[places]]')
        if balance.asset in holdings.scheme.names():
            _tell_balance(holdings, balance, at_ns, where)
            yield f"{name}: balance of {balance.asset} at {balance.place}"
    yield from _told_numbers(holdings, facts, at_ns, name)


def _told_numbers(holdings: Holdings, facts: FactsFile, at_ns: Ns, name: str) -> Iterator[str]:
    scheme = holdings.scheme
    known = set(scheme.names())
    for asset, text in facts.covered.items():
        if asset in known:
            holdings.cover(asset, _atoms(text, scheme.asset(asset), f"{name}: covered.{asset}"))
            yield f"{name}: hedges of {asset}"
    for index, buy in enumerate(facts.may_fill):
        if buy.asset in known:
            where = f"{name}: may_fill[{index}].tokens"
            atoms = _atoms(buy.tokens, scheme.asset(buy.asset), where)
            holdings.may_fill(buy.venue, buy.asset, atoms)
            yield f"{name}: open buys of {buy.asset} on {buy.venue}"
    for index, row in enumerate(facts.spent):
        if row.asset in known:
            where = f"{name}: spent[{index}]"
            atoms = _atoms(row.tokens, scheme.asset(row.asset), f"{where}.tokens")
            money = _atoms(row.money, scheme.money, f"{where}.money")
            holdings.turn(row.asset, Spent(atoms=atoms, money_atoms=money), at_ns)
            yield f"{name}: turnover of {row.asset}"
    for index, one in enumerate(facts.volumes):
        if one.asset in known:
            where = f"{name}: volumes[{index}]"
            atoms = _atoms(one.tokens, scheme.asset(one.asset), f"{where}.tokens")
            at_ns, heard_ns = moment_ns(one.at, f"{where}.at"), one.heard_s * NS_PER_S
            volume = Volume(atoms=atoms, at_ns=at_ns, heard_ns=heard_ns)
            holdings.volume(one.venue, one.asset, volume)
            yield f"{name}: volume of {one.asset} on {one.venue}"


def _tell_balance(holdings: Holdings, row: BalanceRow, at_ns: Ns, where: str) -> None:
    asset = holdings.scheme.asset(row.asset)
    atoms = _atoms(row.amount, asset, f"{where}.amount")
    holdings.learn(
        HoldingsSeen(
            at_ns=at_ns,
            who="",
            place=row.place,
            holdings=[Holding(asset=row.asset, atoms=atoms)],
        )
    )
    if row.working is not None:
        holdings.learn(
            FloatSet(
                at_ns=at_ns,
                who="",
                venue=row.place,
                asset=row.asset,
                atoms=_atoms(row.working, asset, f"{where}.working"),
                reason="as told",
            )
        )


def price_of(row: PriceRow | MidRow, scheme: Scheme, where: str) -> Price:
    per_atom = _per_atom(row.price, scheme, scheme.asset(row.asset), f"{where}.price")
    return Price(
        asset=row.asset,
        money_atoms=per_atom[0],
        base_atoms=per_atom[1],
        at_ns=moment_ns(row.at, f"{where}.at"),
    )


def _book(row: BookRow, scheme: Scheme, where: str) -> DepthBook:
    if not 0 <= row.taker_fee_ppm <= PPM:
        raise UserError(f"{where}.taker_fee_ppm: must be 0 to {PPM}")
    sides = {}
    for side, levels in (("bids", row.bids), ("asks", row.asks)):
        made = [
            _level(level, scheme, row.asset, f"{where}.{side}[{index}]")
            for index, level in enumerate(levels[:LEVELS_MAX])
        ]
        prices = [scaled(price, DECIMALS_MAX) for price, _ in levels[:LEVELS_MAX]]
        if prices != sorted(prices, reverse=side == "bids"):
            raise UserError(f"{where}.{side}: the best level must come first")
        sides[side] = tuple(made)
    return DepthBook(
        venue=row.venue,
        asset=row.asset,
        at_ns=moment_ns(row.at, f"{where}.at"),
        taker_fee_ppm=row.taker_fee_ppm,
        bids=sides["bids"],
        asks=sides["asks"],
    )


def _level(level: tuple[str, str], scheme: Scheme, asset: str, where: str) -> Level:
    money, base = _per_atom(level[0], scheme, scheme.asset(asset), where)
    atoms = _atoms(level[1], scheme.asset(asset), where)
    if atoms <= 0:
        raise UserError(f"{where}: a size must be more than 0")
    is_ask = where.rpartition(".")[2].startswith("asks")
    return Level(atoms, -(-atoms * money // base) if is_ask else atoms * money // base)


def _per_atom(text: str, scheme: Scheme, asset: Asset, where: str) -> tuple[int, int]:
    """A price for one whole token as (money atoms, atoms), in lowest terms."""
    try:
        price = scaled(text, DECIMALS_MAX)
    except ValueError as error:
        raise UserError(f"{where}: {error}") from error
    if price <= 0:
        raise UserError(f"{where}: a price must be more than 0; leave it out if it is not known")
    money, base = price * 10**scheme.money.exponent, 10 ** (DECIMALS_MAX + asset.exponent)
    divisor = math.gcd(money, base)
    return money // divisor, base // divisor


def _atoms(text: str, asset: Asset, where: str) -> int:
    try:
        atoms = scaled(text, asset.exponent)
    except ValueError as error:
        raise UserError(f"{where}: {error}") from error
    if atoms < 0:
        raise UserError(f"{where}: must not be negative")
    return atoms


def moment_ns(moment: datetime, where: str) -> Ns:
    if moment.tzinfo is None:
        raise UserError(f"{where}: a time needs its offset, like 2026-01-31T12:00:00Z")
    return int(moment.timestamp()) * NS_PER_S + moment.microsecond * 1_000
