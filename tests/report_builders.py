"""A data directory with a journal and a desk, small enough to work its figures out by hand."""

import asyncio
import json
from pathlib import Path
from typing import Any

from engine.runtime.authority_file import authority_word, load_authority
from engine.runtime.journal import JournalParams, open_journal
from engine.runtime.signing import verify
from engine.treasury.action_bytes import digest_of
from engine.treasury.action_desk import ActionDesk
from engine.treasury.amounts import Price
from engine.values.action_records import Ending
from engine.values.action_words import Coins, Initiator, Rebalance, Request, WidenLimit
from engine.values.events import Balance, Fill, VenueState
from engine.values.execution_records import (
    ChildSent,
    ParentPlan,
    ParentStarted,
    Reviewed,
    VenueOutcome,
)
from engine.values.instrument import Instrument
from engine.values.ledger_words import Held
from engine.values.records import Listed, Opening
from engine.values.treasury_words import LimitMoved
from engine.values.units import NS_PER_S, Side
from tests.action_builders import ANNA, FAY, OTTO, roster_set

ROOT = Path(__file__).resolve().parent.parent
POLICY = ROOT / "configs" / "treasury.toml"
NOW = 1_795_262_400 * NS_PER_S
"""2026-11-21 12:00 UTC."""
H = 3_600 * NS_PER_S
ONE = 10**8
BTT = Instrument(
    symbol="BTT/USDT", venue="loopback", venue_symbol="BTTUSDT", base="BTT", quote="USDT",
    price_exponent=8, tick=1, size_exponent=0, lot=1, maker_fee_ppm=0, taker_fee_ppm=0,
)  # fmt: skip


def written(path: Path, records: list[Any]) -> None:
    async def write() -> None:
        async with await open_journal(path, JournalParams()) as writing:
            writing.append(records)
            await writing.commit()

    asyncio.run(write())


def fill(trade_id: int, side: Side, lots: int, tick: int, client_id: str, at_ns: int) -> Fill:
    return Fill(
        market=BTT.market, client_id=client_id, venue_id=str(trade_id), trade_id=trade_id,
        side=side, tick=tick, lots=lots, is_maker=True, fee_atoms=0, fee_asset="USDT", at_ns=at_ns,
        venue_ns=at_ns,
    )  # fmt: skip


def balances(btt: int, usdt: int) -> list[Balance]:
    return [
        Balance(asset="BTT", free_atoms=btt * ONE, locked_atoms=0),
        Balance(asset="USDT", free_atoms=usdt * ONE, locked_atoms=0),
    ]


def desk_records(*, is_widened: bool) -> tuple[list[Any], str]:
    """An automatic conversion, asked for three hours ago and done an hour ago; and its digest."""
    authority = load_authority(POLICY)
    desk = ActionDesk(authority, verify)
    records = list(desk.load(authority_word(authority, str(POLICY), "test", NOW - 9 * H)).records)
    records += desk.load(roster_set()).records
    desk.price(Price(asset="BTT", money_atoms=62, base_atoms=ONE, at_ns=NOW - 3 * H))
    action = Rebalance(
        bucket="operational float", sell=Coins(asset="BTT", atoms=40_000_000 * ONE, exponent=8),
        least=Coins(asset="USDT", atoms=ONE, exponent=8), venues=["loopback"], until_ns=NOW,
    )  # fmt: skip
    request = Request(
        desk="demo", name="e1", at_ns=NOW - 3 * H, expires_ns=NOW, who="engine",
        initiator=Initiator.ENGINE, function="rebates", code="excess", why="over", action=action,
    )  # fmt: skip
    asked = desk.ask(request)
    began = desk.begin(NOW - 3 * H)
    done = desk.tell("e1", Ending.DONE, "all of it", at_ns=NOW - H, has_moved=True)
    records += [*asked.records, *began.records, *done.records]
    if is_widened:
        records += _widened(desk)
    return records, digest_of(desk.proposals["e1"].body)


def _widened(desk: ActionDesk) -> list[Any]:
    """Anna asks for a wider limit, fay and otto sign, and it is done six hours ago."""
    at_ns = NOW - 6 * H
    request = Request(
        desk="demo", name="w1", at_ns=at_ns, expires_ns=NOW, who="anna",
        initiator=Initiator.FINANCE, function="rebates", code="policy", why="two venues",
        action=WidenLimit(limit="venues", was="one", becomes="two"),
    )  # fmt: skip
    asked = ANNA.asks(request, at_ns)
    steps = [desk.take(asked), desk.take(FAY.answers(asked, at_ns)),
             desk.take(OTTO.answers(asked, at_ns)), desk.begin(at_ns),
             desk.tell("w1", Ending.DONE, "done", at_ns=at_ns, has_moved=True)]  # fmt: skip
    return [record for step in steps for record in step.records]


def journal_records(proposal: str) -> list[Any]:
    """40 million sold at 61 where mid was 62; the quotes bought 2 million at 60."""
    plan = ParentPlan(
        parent="p1", proposal=proposal, asset="BTT", side=Side.SELL, atoms=40_000_000 * ONE,
        markets=(BTT.market,), begin_ns=NOW - 3 * H, end_ns=NOW - H, children=1,
        child_atoms_max=40_000_000 * ONE, mid=(62, ONE), limit=(60, ONE), estimate_ppm=10_000,
        at_once_ppm=None, ceiling_ppm=40_000, because=(),
    )  # fmt: skip
    child = ChildSent(
        at_ns=NOW - 2 * H, parent="p1", client_id="k1", market=BTT.market, side=Side.SELL,
        lots=40_000_000, tick_limit=61, atoms=40_000_000 * ONE, mid=(62, ONE), estimate_ppm=10_000,
    )  # fmt: skip
    money = 40_000_000 * 61
    outcome = VenueOutcome(
        market=BTT.market, children=1, unfilled=0, atoms=40_000_000 * ONE, money_atoms=money,
        estimate_ppm=10_000, realised_ppm=16_130, wait_ns=0,
    )  # fmt: skip
    review = Reviewed(
        at_ns=NOW - H, parent="p1", asset="BTT", atoms=40_000_000 * ONE, money_atoms=money,
        left_atoms=0, estimate_ppm=10_000, realised_ppm=16_130, took_ns=H, venues=(outcome,),
        lessons={}, because=(),
    )  # fmt: skip
    passed = LimitMoved(
        at_ns=NOW - 5 * H, limit="venues", subject="", breached=True, value="1", ceiling="0",
        fact="a test",
    )  # fmt: skip
    old = LimitMoved(
        at_ns=NOW - 50 * H, limit="venues", subject="", breached=True, value="1", ceiling="0",
        fact="a test",
    )  # fmt: skip
    wallet = [("BTT", 2_050_000_000), ("USDT", 1_500)]
    return [
        Listed(market=BTT.market, at_ns=NOW - 60 * H, instrument=BTT),
        Opening(
            venue="loopback", market=BTT.market, at_ns=NOW - 60 * H, trade_id=0,
            balances=balances(240_000_000, 1_000),
        ),
        *(Held(venue="cold wallet", at_ns=NOW - 60 * H, asset=name, atoms=n * ONE, who="ann")
          for name, n in wallet),
        old,
        passed,
        ParentStarted(at_ns=NOW - 3 * H, plan=plan),
        child,
        fill(1, Side.SELL, 40_000_000, 61, "k1", NOW - 2 * H),
        fill(2, Side.BUY, 2_000_000, 60, "q1", NOW - 2 * H),
        review,
        VenueState(
            market=BTT.market, asked_ns=NOW - H, at_ns=NOW - H, open_orders=[], fills=[],
            balances=[
                Balance(asset="BTT", free_atoms=202_000_000 * ONE, locked_atoms=0),
                Balance(asset="USDT", free_atoms=1_000 * ONE + money - 120_000_000, locked_atoms=0),
            ],
        ),
    ]  # fmt: skip


def data_directory(path: Path, *, is_widened: bool = False) -> Path:
    records, proposal = desk_records(is_widened=is_widened)
    path.mkdir(mode=0o700)
    written(path / "treasury.db", records)
    written(path / "journal.db", journal_records(proposal))
    return path


def facts_file(path: Path, usdt: str = "1023.2") -> Path:
    """What the places say at NOW: as in the books, unless a test says otherwise."""
    at = "2026-11-21T12:00:00Z"
    rows = [("loopback", "BTT", "202000000"), ("loopback", "USDT", usdt),
            ("cold wallet", "BTT", "2050000000"), ("cold wallet", "USDT", "1500")]  # fmt: skip
    book = {
        "venue": "loopback", "asset": "BTT", "quote": "USDT", "at": at, "taker_fee_ppm": 1000,
        "bids": [["0.00000062", "4000000"], ["0.0000006", "900000000"]],
        "asks": [["0.00000063", "4000000"]],
    }  # fmt: skip
    found = {"at": at, "books": [book],
             "balances": [{"place": p, "asset": a, "amount": n} for p, a, n in rows]}  # fmt: skip
    path.write_text(json.dumps(found))
    return path
