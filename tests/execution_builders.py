"""Small builders for staged orders: books in atoms, params, plans, and what a parent is shown."""

from engine.treasury.amounts import Price
from engine.treasury.depth import DepthBook, Level
from engine.treasury.estimate import Venue
from engine.treasury.execution import Parent
from engine.treasury.execution_params import EstimateParams, ExecutionParams
from engine.treasury.execution_sight import MarketSight, Sight
from engine.treasury.planning import Order, plan
from engine.values.execution_records import ChildSent
from engine.values.units import NS_PER_S, SELL

S = NS_PER_S
A, B = "BTT/USDT@a", "BTT/USDT@b"
PLENTY = 10**15


def estimate_params(**changes):
    fields = {
        "volatility_ppm": 1_000_000,
        "fragmentation_ppm": 500,
        "daily_share_ppm": 10_000,
        "impact_ppm": 0,
        "daily_excess_ppm": 1_000,
        "unknown_volume_ppm": 3_000,
        "ceiling_ppm_max": 60_000,
        "lesson_ppm_max": 5_000,
        "lesson_weight_ppm": 500_000,
    }
    return EstimateParams(**(fields | changes))


def params(**changes):
    fields = {
        "child_depth_ppm": 200_000,
        "child_every_s": 10,
        "jitter_ppm": 200_000,
        "participation_ppm": 1_000_000,
        "volume_window_s": 300,
        "gap_ppm": 30_000,
        "stale_s": 5,
        "pause_s": 20,
        "hand_over_s": 120,
        "answer_s_max": 5,
        "estimate": estimate_params(),
    }
    return ExecutionParams(**(fields | changes))


def book(bids=((100, 1_000), (99, 2_000), (98, 4_000)), asks=((102, 1_000),), venue="a", fee=0):
    """Levels as (price, atoms): so much money for one atom."""
    return DepthBook(
        venue=venue, asset="BTT", at_ns=0, taker_fee_ppm=fee, bids=levels(bids), asks=levels(asks)
    )


def levels(rows):
    return tuple(Level(atoms, price * atoms) for price, atoms in rows)


def venue(market=A, at=None, volume=10**9, lesson=0):
    return Venue(market=market, book=at or book(), volume_atoms=volume, lesson_ppm=lesson)


def order(atoms=10_000, **changes):
    fields = {
        "parent": "p1", "proposal": "d" * 64, "asset": "BTT", "side": SELL, "atoms": atoms,
        "begin_ns": 1_000 * S, "until_ns": 100_000 * S, "least": None, "score_ns": 0,
        "volatility": 0,
    }  # fmt: skip
    return Order(**(fields | changes))


def parent(atoms=10_000, venues=None, how=None, **changes):
    made = how or params()
    return Parent(plan(order(atoms, **changes), venues or [venue()], made), made)


def shown(market=A, at=None, **changes):
    """A market as a parent is shown it; levels are those of the book's bids."""
    found = at or book()
    fields = {
        "market": market, "book": found, "levels": found.bids, "is_own_in_way": False, "why": "",
        "is_stale": False, "is_killed": False, "volume_atoms": PLENTY, "doubt": "",
        "is_busy": False, "lot_atoms": 1, "least_atoms": 10, "lesson_ppm": 0,
    }  # fmt: skip
    return MarketSight(**(fields | changes))


def barred(market=A, why="its book is old", is_stale=True):
    return shown(market, book=None, levels=(), why=why, is_stale=is_stale)


def sight(at_s, *markets, turnover=PLENTY, killed=""):
    return Sight(
        now_ns=at_s * S, markets=markets or (shown(),), turnover_left_atoms=turnover, killed=killed
    )


def send(made, wish, at_s, name=None):
    """What a desk does with a wish: the child's record, remembered."""
    client_id = name or f"c{len(made.children)}"
    sent = ChildSent(
        at_ns=at_s * S, parent=made.plan.parent, client_id=client_id, market=wish.market,
        side=made.plan.side, lots=wish.atoms, tick_limit=1, atoms=wish.atoms,
        mid=(wish.mid.money_atoms, wish.mid.base_atoms), estimate_ppm=wish.estimate_ppm,
    )  # fmt: skip
    made.remember(sent)
    made.check()
    return client_id


def fill(made, client_id, price=100, atoms=None, at_s=0):
    """All (or so much) of a child fills at this price, and it ends."""
    child = made.children[client_id]
    atoms = child.sent.atoms if atoms is None else atoms
    at_ns = at_s * S or child.sent.at_ns
    made.filled(client_id, (atoms, price * atoms), at_ns)
    made.ended(client_id)
    made.check()


def price(money, base=1):
    return Price(asset="BTT", money_atoms=money, base_atoms=base, at_ns=0)


def run(made, seconds, show=shown, begin_s=1_000):
    """Live for so long: every wish fills at once at its limit. Returns all that it moved."""
    moves = []
    for at_s in range(begin_s, begin_s + seconds):
        look = made.look(sight(at_s, show()))
        moves += look.moves
        for wish in look.wishes:
            unit = wish.limit.money_atoms // wish.limit.atoms
            fill(made, send(made, wish, at_s), unit)
    return moves
