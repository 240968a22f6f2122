"""Paying and selling against the live books, one step after the other: nothing is used twice.

A purse is made from facts, used within one question and thrown away. Sales and purchases walk the
books, and what a walk took is gone for the next; units at a place are sold in that place's venue
only. Money counts wherever it lies: to move it between places is part of its time to cash.
"""

from engine.treasury.depth import Level
from engine.treasury.facts import Facts
from engine.treasury.locks import Piece, pieces_of
from engine.values.units import Atoms, Ns, Ppm

DIGITS = 10**30


class Rung:
    """What is left of one level of a book: so many atoms for so much money."""

    def __init__(self, level: Level) -> None:
        self.atoms = level.atoms
        self.money = level.money_atoms

    @property
    def unit(self) -> int:
        return self.money * DIGITS // self.atoms if self.atoms else 0

    def take(self, atoms: Atoms, money: Atoms) -> None:
        self.atoms -= atoms
        self.money -= money


class Stock:
    """What is left of a piece."""

    def __init__(self, piece: Piece) -> None:
        self.piece = piece
        self.left = piece.atoms


class Purse:
    """All that a treasury has, and the books in which it can be turned into something else."""

    def __init__(self, facts: Facts) -> None:
        self._money = facts.scheme.money.name
        self._names = facts.scheme.names()
        self._stocks = {
            name: [Stock(piece) for piece in pieces_of(facts, name)] for name in self._names
        }
        self._bids: dict[tuple[str, str], list[Rung]] = {}
        self._asks: dict[str, list[Rung]] = {}
        for venue, asset in sorted(facts.books):
            self._open(facts, venue, asset)
        for rungs in self._asks.values():
            rungs.sort(key=lambda rung: rung.unit)

    def _open(self, facts: Facts, venue: str, asset: str) -> None:
        book = facts.book(venue, asset)
        if book is None:
            return
        haircut: Ppm = facts.scheme.assets[asset].haircut_ppm
        bids = [Rung(level) for level in book.net_bids(haircut)]
        self._bids[asset, venue] = [rung for rung in bids if rung.money > 0]
        asks = [Rung(level) for level in book.gross_asks(haircut)]
        self._asks.setdefault(asset, []).extend(asks)

    # --- what there is

    def ready(self, asset: str, by_ns: Ns) -> Atoms:
        return sum(stock.left for stock in self._of(asset, by_ns))

    def _of(self, asset: str, by_ns: Ns, venue: str = "") -> list[Stock]:
        """Cash by then, the latest first: what is ready sooner stays for what is due sooner."""
        found = [
            stock
            for stock in self._stocks[asset]
            if stock.left and stock.piece.ready_ns <= by_ns and venue in ("", stock.piece.sells_at)
        ]
        return sorted(found, key=lambda stock: -stock.piece.ready_ns)

    # --- paying

    def pay(self, asset: str, atoms: Atoms, by_ns: Ns, venue: str = "") -> Atoms:
        """Pay from the asset itself; what is short."""
        for stock in self._of(asset, by_ns, venue):
            part = min(atoms, stock.left)
            stock.left -= part
            atoms -= part
        return atoms

    def pay_with_money(self, asset: str, atoms: Atoms, by_ns: Ns) -> Atoms:
        """Pay what is short with money, selling other assets for it; what is short even so."""
        if asset == self._money:
            return self.pay(asset, atoms, by_ns) if self._raise(atoms, by_ns, asset) else atoms
        self._raise(self._cost(asset, atoms), by_ns, asset)
        return self._buy(asset, atoms, by_ns)

    def _cost(self, asset: str, atoms: Atoms) -> Atoms:
        cost = 0
        for rung in self._asks.get(asset, []):
            part = min(atoms, rung.atoms)
            cost += -(-rung.money * part // rung.atoms) if part else 0
            atoms -= part
        return cost

    def _buy(self, asset: str, atoms: Atoms, by_ns: Ns) -> Atoms:
        budget = self.ready(self._money, by_ns)
        for rung in self._asks.get(asset, []):
            part = min(atoms, rung.atoms)
            if part and -(-rung.money * part // rung.atoms) > budget:
                part = budget * rung.atoms // rung.money
            if part <= 0:
                continue
            cost = -(-rung.money * part // rung.atoms)
            rung.take(part, cost)
            self.pay(self._money, cost, by_ns)
            budget -= cost
            atoms -= part
        return atoms

    # --- selling

    def _raise(self, wanted: Atoms, by_ns: Ns, but_not: str) -> bool:
        """Sell other assets, in the order of the file, until there is so much money by then."""
        for name in self._names:
            missing = wanted - self.ready(self._money, by_ns)
            if missing > 0 and name not in (self._money, but_not):
                self._bring(self._sell(name, missing, by_ns), by_ns)
        return self.ready(self._money, by_ns) > 0

    def sell_all(self, asset: str, by_ns: Ns) -> Atoms:
        """The money for all of an asset that is cash by then, as far as the books reach."""
        if asset == self._money:
            return self.ready(asset, by_ns)
        return self._sell(asset, None, by_ns)

    def _sell(self, asset: str, wanted: Atoms | None, by_ns: Ns) -> Atoms:
        """The dearest level of any venue first, of what lies there; for all where None."""
        left = {
            venue: self._left(asset, venue, by_ns) for base, venue in self._bids if base == asset
        }
        raised = 0
        while wanted is None or raised < wanted:
            found = [
                (venue, rung)
                for venue in left
                if left[venue]
                for rung in self._bids[asset, venue][:1]
            ]
            if not found:
                return raised
            venue, rung = max(found, key=lambda one: one[1].unit)
            part = min(left[venue], rung.atoms)
            if wanted is not None:
                part = min(part, -(-(wanted - raised) * rung.atoms // rung.money))
            raised += self._hit(rung, part)
            left[venue] -= part
            self.pay(asset, part, by_ns, venue)
            if not rung.atoms or not rung.money:
                self._bids[asset, venue].pop(0)
        return raised

    def _left(self, asset: str, venue: str, by_ns: Ns) -> Atoms:
        return sum(stock.left for stock in self._of(asset, by_ns, venue))

    @staticmethod
    def _hit(rung: Rung, atoms: Atoms) -> Atoms:
        money = rung.money * atoms // rung.atoms
        rung.take(atoms, money)
        return money

    def _bring(self, money: Atoms, by_ns: Ns) -> None:
        """What a sale brought is money that is there by then, and spent before any other."""
        if money:
            piece = Piece(
                asset=self._money, place="", sells_at="", how="sold", atoms=money, ready_ns=by_ns
            )
            self._stocks[self._money].append(Stock(piece))
