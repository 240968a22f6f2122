"""Money and order records after the book has spoken: fills, expiries, cancels, each reported."""

from adapters.loopback import reports
from adapters.loopback.accounts import Accounts
from adapters.loopback.market import Market
from adapters.loopback.orders import Fill, Order, OrderStore, Status
from adapters.loopback.outbox import Outbox
from engine.sim.matching.terms import ENDED_SELF_TRADE, Ended, Kind, Match, Outcome, Prevented
from engine.values.units import PPM, Ns, Side


class Settlement:
    """A commission is taken from what is received: base of a buy, quote of a sale, cut to 1e-8."""

    def __init__(self, accounts: Accounts, store: OrderStore, outbox: Outbox) -> None:
        self._accounts = accounts
        self._store = store
        self._outbox = outbox
        self.self_trades = 0

    def settle(self, market: Market, outcome: Outcome, now_ns: Ns) -> None:
        """Everything that one submitted order did, in the order in which it happened."""
        for match in outcome.matches:
            self.match(market, match, now_ns)
        for prevented in outcome.prevented:
            self._prevent(market, prevented, now_ns)
        for ended in outcome.ended:
            self._end(market, ended, now_ns)
        market.announce_trades(len(outcome.matches), now_ns)
        market.announce_book(now_ns)

    def match(self, market: Market, match: Match, now_ns: Ns) -> None:
        """Move the money of one match and tell both owners, as far as they are ours."""
        maker = self._store.by_id.get(match.maker_id) if match.maker_owner else None
        taker = self._store.by_id.get(match.taker_id) if match.taker_owner else None
        if maker and taker and maker.account == taker.account:
            self.self_trades += 1
        trade_id = market.record(match, now_ns)
        for order in (maker, taker):
            if order is not None:
                self._fill(market, order, _Side(match, trade_id, order is maker), now_ns)
        self._square_outside(market, match, (maker, taker))

    def release(self, market: Market, order: Order) -> None:
        """Unlock what the order no longer needs."""
        needed = 0
        if order.is_open and order.kind is Kind.MARKET and order.side is Side.BUY:
            needed = order.locked_atoms
        elif order.is_open:
            _, needed = market.scale.needed(order.side, order.tick, order.lots_left)
        asset, _ = market.scale.needed(order.side, 0, 0)
        self._accounts[order.account].unlock(asset, order.locked_atoms - needed)
        order.locked_atoms = needed

    def close(self, market: Market, order: Order, status: Status, now_ns: Ns) -> None:
        order.status, order.updated_ns = status, now_ns
        self._store.close(order)
        self.release(market, order)

    def report(self, market: Market, order: Order, what: str, now_ns: Ns) -> None:
        """An execution report, then the balances that it may have changed."""
        message = reports.execution(market.scale, order, what, now_ns)
        self._tell(market, order, message, now_ns)

    def _tell(self, market: Market, order: Order, message: reports.Json, now_ns: Ns) -> None:
        account = self._accounts[order.account]
        account.updated_ns = now_ns
        self._outbox.tell(order.account, message)
        assets = [market.spec.base, market.spec.quote]
        self._outbox.tell(order.account, reports.position(account, assets, now_ns))

    def _fill(self, market: Market, order: Order, side: "_Side", now_ns: Ns) -> None:
        fill = self._pay(market, order, side, now_ns)
        order.filled_lots += fill.lots
        order.filled_quote_atoms += fill.quote_atoms
        order.updated_ns = now_ns
        self._store.add_fill(fill)
        if order.lots_left:
            order.status = Status.PARTIALLY_FILLED
            self.release(market, order)
        else:
            self.close(market, order, Status.FILLED, now_ns)
        message = reports.execution(market.scale, order, "TRADE", now_ns)
        message |= reports.trade_fields(market.scale, fill)
        self._tell(market, order, message, now_ns)

    def _pay(self, market: Market, order: Order, side: "_Side", now_ns: Ns) -> Fill:
        match, spec, account = side.match, market.spec, self._accounts[order.account]
        cost = market.scale.quote_atoms(match.tick, match.lots)
        size = market.scale.base_atoms(match.lots)
        paid = (spec.quote, cost) if order.side is Side.BUY else (spec.base, size)
        got = (spec.base, size) if order.side is Side.BUY else (spec.quote, cost)
        fee = got[1] * (spec.maker_fee_ppm if side.is_maker else spec.taker_fee_ppm) // PPM
        account.pay(*paid)
        order.locked_atoms -= paid[1]
        account.receive(got[0], got[1] - fee)
        self._accounts.fees[got[0]] += fee
        return Fill(
            trade_id=side.trade_id,
            order_id=order.order_id,
            symbol=order.symbol,
            account=order.account,
            side=order.side,
            tick=match.tick,
            lots=match.lots,
            quote_atoms=cost,
            fee_atoms=fee,
            fee_asset=got[0],
            is_maker=side.is_maker,
            at_ns=now_ns,
        )

    def _square_outside(
        self, market: Market, match: Match, parties: tuple[Order | None, Order | None]
    ) -> None:
        """What our accounts got, the rest of the market gave."""
        sign = sum(order.side.sign for order in parties if order is not None)
        outside = self._accounts.outside
        outside[market.spec.base] -= sign * market.scale.base_atoms(match.lots)
        outside[market.spec.quote] += sign * market.scale.quote_atoms(match.tick, match.lots)

    def _prevent(self, market: Market, prevented: Prevented, now_ns: Ns) -> None:
        """Both sides of a match with oneself lose lots, as the taker's mode says."""
        losses = (
            (prevented.maker_id, prevented.maker_lots, prevented.taker_id),
            (prevented.taker_id, prevented.taker_lots, prevented.maker_id),
        )
        for order_id, lots, other_id in losses:
            order = self._store.by_id[order_id]
            if not lots or not order.is_open:
                continue
            order.prevented_lots += lots
            order.updated_ns = now_ns
            if order.lots_left:
                self.release(market, order)
            else:
                self.close(market, order, Status.EXPIRED_IN_MATCH, now_ns)
            message = reports.execution(market.scale, order, "TRADE_PREVENTION", now_ns)
            message |= {
                "A": market.scale.size_text(order.prevented_lots),
                "B": market.scale.size_text(lots),
                "U": other_id,
                "Cs": order.symbol,
                "pL": market.scale.price_text(prevented.tick),
            }
            self._tell(market, order, message, now_ns)

    def _end(self, market: Market, ended: Ended, now_ns: Ns) -> None:
        order = self._store.by_id.get(ended.order_id)
        if order is None or not order.is_open or ended.reason == ENDED_SELF_TRADE:
            return
        self.close(market, order, Status.EXPIRED, now_ns)
        self.report(market, order, "EXPIRED", now_ns)


class _Side:
    """One party's view of a match."""

    __slots__ = ("is_maker", "match", "trade_id")

    def __init__(self, match: Match, trade_id: int, is_maker: bool) -> None:
        self.match = match
        self.trade_id = trade_id
        self.is_maker = is_maker
