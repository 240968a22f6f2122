"""What must be true of a journal and a venue after any crash, by arithmetic of its own.

Shares no line with the engine: the journal comes as the rows of `ballast journal export`, the venue
as the rows of its signed REST. Every check returns sentences, one for each violation.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Row = dict[str, Any]

PREFIX = "bal"
ATOM = Decimal("1e-8")
PASSED = ("READY", "QUOTING", "PULLED")
ASKING = ("INIT", "RECONCILING")


@dataclass(frozen=True)
class Venue:
    """One account in one market, as the venue tells it. `opening` is from before the first run."""

    tick: Decimal
    lot: Decimal
    base: str
    quote: str
    opening: dict[str, Decimal]
    balances: dict[str, Decimal]
    orders: list[Row]
    trades: list[Row]
    floor: Decimal
    cap: Decimal

    @property
    def open_orders(self) -> list[Row]:
        return [o for o in self.orders if o["status"] in ("NEW", "PARTIALLY_FILLED")]


@dataclass
class Journal:
    """The records of an export, by kind."""

    rows: list[Row] = field(default_factory=list)

    def of(self, kind: str) -> list[Row]:
        return [row["record"] for row in self.rows if row["kind"] == kind]

    def intents(self) -> dict[str, Row]:
        return {record["order"]["client_id"]: record["order"] for record in self.of("OrderIntent")}

    def trade_ids(self) -> set[int]:
        return {fill["trade_id"] for fill in self.of("Fill")}


def orders_without_intent(journal: Journal, venue: Venue) -> list[str]:
    """I6: each order at the venue was intended exactly like this. True at any moment."""
    intents, wrong = journal.intents(), []
    for order in venue.orders:
        client_id = order["clientOrderId"]
        if not client_id.startswith(PREFIX):
            wrong.append(f"I6 order {client_id} at the venue is under no prefix of ours")
        elif client_id not in intents:
            wrong.append(f"I6 order {client_id} is at the venue and was never intended")
        else:
            wanted = intents[client_id]
            terms = (
                wanted["side"].upper(),
                wanted["tick"] * venue.tick,
                wanted["lots"] * venue.lot,
            )
            found = (order["side"], Decimal(order["price"]), Decimal(order["origQty"]))
            if terms != found:
                wrong.append(f"I6 order {client_id} is {found} at the venue, intended as {terms}")
    return wrong


def ids_used_twice(journal: Journal, venue: Venue) -> list[str]:
    """I7: no client id names two orders, and no two intents share one. True at any moment."""
    sent = Counter(order["clientOrderId"] for order in venue.orders)
    meant = Counter(record["order"]["client_id"] for record in journal.of("OrderIntent"))
    epochs = Counter(record["epoch"] for record in journal.of("SessionStarted"))
    return (
        [f"I7 {count} orders at the venue are called {name}" for name, count in _several(sent)]
        + [f"I7 {count} intents are called {name}" for name, count in _several(meant)]
        + [f"I7 epoch {epoch} was used {count} times" for epoch, count in _several(epochs)]
    )


def fills_invented(journal: Journal, venue: Venue) -> list[str]:
    """I1, I2: a fill in the journal is the venue's, to the atom, and there once. Always true."""
    theirs = {trade["id"]: trade for trade in venue.trades}
    names = {order["orderId"]: order["clientOrderId"] for order in venue.orders}
    counted = Counter(fill["trade_id"] for fill in journal.of("Fill"))
    wrong = [f"I2 trade {number} is booked {times} times" for number, times in _several(counted)]
    for fill in journal.of("Fill"):
        trade = theirs.get(fill["trade_id"])
        if trade is None:
            wrong.append(f"I1 trade {fill['trade_id']} is in the journal and not at the venue")
            continue
        booked = (
            fill["client_id"],
            fill["side"] == "buy",
            fill["tick"] * venue.tick,
            fill["lots"] * venue.lot,
            fill["fee_asset"],
            fill["fee_atoms"] * ATOM,
        )
        happened = (
            names.get(trade["orderId"]),
            trade["isBuyer"],
            Decimal(trade["price"]),
            Decimal(trade["qty"]),
            trade["commissionAsset"],
            Decimal(trade["commission"]),
        )
        if booked != happened:
            wrong.append(f"I1 trade {trade['id']} was {happened}, booked as {booked}")
    return wrong


def fills_lost(journal: Journal, venue: Venue) -> list[str]:
    """I1: every trade of ours is in the journal. True when an engine has come to rest."""
    booked = journal.trade_ids()
    missing = [trade["id"] for trade in venue.trades if trade["id"] not in booked]
    return [f"I1 trade {number} at the venue is not in the journal" for number in missing]


def money_gaps(journal: Journal, venue: Venue) -> list[str]:
    """I3: opening plus fills is the venue's balance, to the atom. True at rest."""
    openings = journal.of("Opening")
    if len(openings) != 1:
        return [f"I3 the journal has {len(openings)} openings of one market"]
    ours: dict[str, Decimal] = defaultdict(Decimal)
    for balance in openings[0]["balances"]:
        ours[balance["asset"]] += (balance["free_atoms"] + balance["locked_atoms"]) * ATOM
    wrong = [
        f"I3 opened with {ours[asset]} {asset}, the venue had given {amount}"
        for asset, amount in venue.opening.items()
        if ours[asset] != amount
    ]
    for fill in journal.of("Fill"):
        sign = 1 if fill["side"] == "buy" else -1
        size = fill["lots"] * venue.lot * sign
        ours[venue.base] += size
        ours[venue.quote] -= size * fill["tick"] * venue.tick
        ours[fill["fee_asset"]] -= fill["fee_atoms"] * ATOM
    for asset in sorted(ours.keys() | venue.balances.keys()):
        theirs = venue.balances.get(asset, Decimal(0))
        if ours[asset] != theirs:
            wrong.append(f"I3 {asset}: journal {ours[asset]}, venue {theirs}")
    return wrong


def orders_before_proof(journal: Journal, venue: Venue) -> list[str]:
    """I20: in each session no order was meant before its reconciliation had passed."""
    del venue
    early: Counter[int] = Counter()
    is_proved, epoch = False, 0
    for row in journal.rows:
        record = row["record"]
        match row["kind"]:
            case "SessionStarted":
                is_proved, epoch = False, record["epoch"]
            case "StateChanged" if record["after"] in ASKING:
                is_proved = False
            case "StateChanged" if record["before"] == "RECONCILING":
                is_proved = record["after"] in PASSED
            case "OrderIntent" if not is_proved:
                early[epoch] += 1
    return [f"I20 session {at} meant {n} orders unreconciled" for at, n in early.items()]


def beyond_the_bands(journal: Journal, venue: Venue) -> list[str]:
    """I9: position plus all that could still fill, from the venue's own times of everything.

    Within one millisecond the venue does not say what came first: ends are counted before starts.
    """
    del journal
    position, wrong = venue.opening[venue.base], []
    resting = {"BUY": Decimal(0), "SELL": Decimal(0)}
    for at_ms, change, bid, ask in sorted(_moves(venue), key=lambda move: move[0]):
        position += change
        resting["BUY"] += bid
        resting["SELL"] += ask
        if position + resting["BUY"] > venue.cap or position - resting["SELL"] < venue.floor:
            wrong.append(f"I9 at {at_ms[0]}: position {position} with {resting} leaves the bands")
    return wrong


def doubts_left(journal: Journal, venue: Venue) -> list[str]:
    """Nothing stayed unexplained, and no market froze or halted: a crash alone is no reason to."""
    del venue
    wrong = [
        f"{row['what']}: ours {row['ours']}, the venue's {row['theirs']}: unexplained"
        for row in journal.of("Difference")
        if not row["explained"]
    ]
    for row in journal.of("StateChanged"):
        is_stop = row["after"] == "CANCEL_ONLY" and row["reason"].startswith("stopping")
        if row["after"] in ("CANCEL_ONLY", "HALTED") and not is_stop:
            wrong.append(f"the market went {row['after']}: {row['reason']}")
    return wrong


def orders_left(journal: Journal, venue: Venue) -> list[str]:
    """After an orderly stop nothing of ours is open, and the last session did quote and end."""
    wrong = [f"order {order['clientOrderId']} was left open" for order in venue.open_orders]
    started = max(i for i, row in enumerate(journal.rows) if row["kind"] == "SessionStarted")
    last = Journal(journal.rows[started:])
    if not last.of("OrderIntent"):
        wrong.append("the last session never quoted")
    if [row["open_orders"] for row in last.of("SessionEnded")] != [0]:
        wrong.append(f"the last session ended as {last.of('SessionEnded')}")
    return wrong


Check = Callable[[Journal, Venue], list[str]]
ALWAYS: tuple[Check, ...] = (
    orders_without_intent, ids_used_twice, fills_invented, orders_before_proof, doubts_left,
)  # fmt: skip
AT_REST: tuple[Check, ...] = (*ALWAYS, fills_lost, money_gaps, beyond_the_bands, orders_left)


def _moves(venue: Venue) -> list[tuple[tuple[int, int], Decimal, Decimal, Decimal]]:
    """((ms, rank), change of position, of resting bids, of resting asks); fills, ends, starts."""
    moves, sides = [], {order["orderId"]: order["side"] for order in venue.orders}
    for trade in venue.trades:
        size = Decimal(trade["qty"])
        fee = Decimal(trade["commission"]) if trade["commissionAsset"] == venue.base else Decimal(0)
        is_bid = sides[trade["orderId"]] == "BUY"
        change = (size if is_bid else -size) - fee
        moves.append(((trade["time"], 0), change, *_resting(is_bid, -size)))
    for order in venue.orders:
        is_bid, size = order["side"] == "BUY", Decimal(order["origQty"])
        moves.append(((order["time"], 2), Decimal(0), *_resting(is_bid, size)))
        if order not in venue.open_orders:
            left = size - Decimal(order["executedQty"])
            moves.append(((order["updateTime"], 1), Decimal(0), *_resting(is_bid, -left)))
    return moves


def _resting(is_bid: bool, size: Decimal) -> tuple[Decimal, Decimal]:
    return (size, Decimal(0)) if is_bid else (Decimal(0), size)


def _several(counted: Counter[Any]) -> list[tuple[Any, int]]:
    return [(name, count) for name, count in counted.items() if count > 1]
