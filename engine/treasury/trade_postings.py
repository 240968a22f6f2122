"""What a trade comes to: its postings, and what it does to the lots of both assets and of the fee.

A fee in one of the traded assets is part of the trade: it makes what was bought dearer, and what
was sold bring less. A fee in a third asset is spent at what it is worth then, which is added to the
cost or taken off the proceeds; where that is not known both say so, and nothing is taken to be
free.
"""

import msgspec

from engine.treasury.chart import Account, AccountKind, Draft, Income, Move, Reason, TaxTag, moved
from engine.treasury.measures import Measures
from engine.treasury.pricing import PriceHistory
from engine.values.events import Fill
from engine.values.instrument import Instrument
from engine.values.ledger_words import NOBODY, Converted, People
from engine.values.units import Atoms, Ns


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """Two assets exchanged, in atoms of the books, signed as they come into the holdings.

    `fee_atoms` is positive when paid. `source` is the account that the exchange goes through.
    """

    key: str
    venue: str
    at_ns: Ns
    when_ns: Ns
    rank: int
    reason: Reason
    tag: TaxTag
    first: tuple[str, Atoms]
    second: tuple[str, Atoms]
    fee: tuple[str, Atoms]
    source: Account
    fees: Account
    counterparty: str
    people: People
    text: str


def fill_key(instrument: Instrument, trade_id: int) -> str:
    return f"fill {instrument.market} {trade_id}"


def of_fill(instrument: Instrument, fill: Fill, measures: Measures) -> Trade:
    """Raises ValueError where the books count an asset more coarsely than this market does."""
    base, quote = instrument.flows(fill.side, fill.tick, fill.lots)
    price, size = instrument.price_text(fill.tick), instrument.size_text(fill.lots)
    role = "maker" if fill.is_maker else "taker"
    return Trade(
        key=fill_key(instrument, fill.trade_id),
        venue=instrument.venue,
        at_ns=fill.at_ns,
        when_ns=fill.venue_ns or fill.at_ns,
        rank=fill.trade_id,
        reason=Reason.FILL,
        tag=TaxTag.TRADE,
        first=(instrument.base, measures.atoms(instrument, instrument.base, base)),
        second=(instrument.quote, measures.atoms(instrument, instrument.quote, quote)),
        fee=(fill.fee_asset, measures.atoms(instrument, fill.fee_asset, fill.fee_atoms)),
        source=Account(AccountKind.TRADES, instrument.market),
        fees=Account(AccountKind.FEES, instrument.market),
        counterparty=instrument.venue,
        people=NOBODY,
        text=f"{fill.side} {size} at {price} as {role}, order {fill.client_id or fill.venue_id}",
    )


def of_conversion(word: Converted) -> Trade:
    return Trade(
        key=f"conversion {word.venue} {word.ref}",
        venue=word.venue,
        at_ns=word.at_ns,
        when_ns=word.at_ns,
        rank=0,
        reason=Reason.CONVERSION,
        tag=TaxTag.CONVERSION,
        first=(word.got, word.got_atoms),
        second=(word.gave, -word.gave_atoms),
        fee=(word.fee_asset, word.fee_atoms),
        source=Account(AccountKind.CONVERSIONS, word.venue),
        fees=Account(AccountKind.FEES, word.venue),
        counterparty=word.counterparty,
        people=word.people,
        text=f"{word.gave} for {word.got}",
    )


def draft_trade(trade: Trade, prices: PriceHistory) -> Draft:
    """The whole entry. Balanced in every asset, fee included."""
    holdings = Account(AccountKind.HOLDINGS, trade.venue)
    postings = tuple(
        posting
        for asset, atoms in (trade.first, trade.second)
        for posting in moved(holdings, trade.source, asset, atoms)
    )
    fee_asset, fee_atoms = trade.fee
    postings += moved(trade.fees, holdings, fee_asset, fee_atoms)
    sums = _Sums(trade, prices)
    return Draft(
        key=trade.key,
        at_ns=trade.at_ns,
        when_ns=trade.when_ns,
        reason=trade.reason,
        tag=trade.tag,
        counterparty=trade.counterparty,
        people=trade.people,
        text=trade.text,
        postings=postings,
        moves=tuple(sums.moves()),
        incomes=tuple(sums.incomes()),
        notes=sums.notes(),
    )


class _Sums:
    """What the trade was worth: in money where one side is money, else at the price of then."""

    def __init__(self, trade: Trade, prices: PriceHistory) -> None:
        self._trade, self._prices = trade, prices
        self._flows: dict[str, Atoms] = {}
        for asset, atoms in (trade.first, trade.second):
            self._flows[asset] = self._flows.get(asset, 0) + atoms
        fee_asset, fee_atoms = trade.fee
        self._third: tuple[str, Atoms] | None = None
        if fee_asset in self._flows:
            self._flows[fee_asset] -= fee_atoms
        elif fee_atoms:
            self._third = (fee_asset, fee_atoms)

    def moves(self) -> list[Move]:
        """Of every asset but money. A fee in a third asset moves that asset's lots."""
        found = [
            self._move(part, asset, atoms)
            for part, (asset, atoms) in enumerate(self._flows.items())
            if asset != self._prices.money and atoms
        ]
        if self._third and self._third[0] != self._prices.money:
            asset, atoms = self._third
            tag = TaxTag.FEE
            found.append(self._of(2, (asset, -atoms), self._worth(asset, abs(atoms)), tag))
        return found

    def incomes(self) -> list[Income]:
        """A rebate in a third asset came for nothing."""
        if self._third is None or self._third[1] > 0:
            return []
        asset, atoms = self._third
        row = Income(
            key=self._trade.key,
            when_ns=self._trade.when_ns,
            tag=TaxTag.FEE,
            asset=asset,
            atoms=-atoms,
            worth_atoms=self._worth(asset, -atoms),
        )
        return [row]

    def notes(self) -> tuple[str, ...]:
        found = []
        money = self._prices.money
        if money not in self._flows and self._exchanged() is None:
            found.append(f"no price in {money} for either asset")
        if self._third and self._fee_worth() is None:
            found.append(f"no price in {money} for the fee in {self._third[0]}")
        return tuple(found)

    def _move(self, part: int, asset: str, atoms: Atoms) -> Move:
        """Bought: cost with fees. Sold: proceeds after fees."""
        money = self._prices.money
        paid = -self._flows[money] if money in self._flows else None
        if paid is None:
            exchanged = self._exchanged()
            paid = None if exchanged is None else (exchanged if atoms > 0 else -exchanged)
        fee = self._fee_worth()
        if fee and (money in self._flows or atoms > 0):  # of two tokens, the bought one bears it
            paid = None if paid is None else paid + fee
        worth = None if paid is None or fee is None else (paid if atoms > 0 else -paid)
        return self._of(part, (asset, atoms), worth, self._trade.tag)

    def _of(self, part: int, flow: tuple[str, Atoms], worth: Atoms | None, tag: TaxTag) -> Move:
        trade = self._trade
        return Move(
            key=trade.key,
            part=part,
            when_ns=trade.when_ns,
            rank=trade.rank,
            asset=flow[0],
            atoms=flow[1],
            worth_atoms=worth,
            tag=tag,
        )

    def _fee_worth(self) -> Atoms | None:
        """Of a fee in a third asset, in money; negative for a rebate; 0 where there is none.

        A rebate is an income of its own and makes nothing cheaper.
        """
        if self._third is None or self._third[1] < 0:
            return 0
        return self._worth(*self._third)

    def _exchanged(self) -> Atoms | None:
        """Of a trade of two tokens, by what was given, or else by what was got."""
        by_sign = sorted(self._flows.items(), key=lambda flow: flow[1])
        worths = [self._worth(asset, abs(atoms)) for asset, atoms in by_sign]
        return next((worth for worth in worths if worth is not None), None)

    def _worth(self, asset: str, atoms: Atoms) -> Atoms | None:
        return self._prices.worth(asset, atoms, self._trade.when_ns)
