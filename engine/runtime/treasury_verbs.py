"""The verb `treasury` at a running engine: signed words go in as facts, the inbox comes out.

A word is worth its signature, whoever is connected. The files of policy and roster never come this
way: who runs the engine names them in its config.
"""

from typing import Any

import msgspec

from engine.runtime.action_answers import inbox, taken
from engine.runtime.action_talk import words_of
from engine.runtime.live import Live
from engine.trading.action_widen import due_reviews
from engine.trading.action_work import ActionWork
from engine.trading.chain_hands import ChainHands
from engine.trading.treasury_work import TreasuryWork
from engine.treasury.desk_step import SignedWord
from engine.values.errors import UserError


async def handle(live: Live, args: dict[str, Any]) -> dict[str, Any]:
    """`{"words": [...]}` or `{"inbox": is_all}`. Raises UserError.

    What became of a word is answered once it is in the journal for good.
    """
    work = live.engine.neighbours.treasurer
    if not isinstance(work, TreasuryWork):
        raise UserError("no desk of actions runs here: the config names no treasury with a roster")
    if "words" in args:
        answers = [await _told(live, work.actions, word) for word in words_of(args["words"])]
        await live.durable()
        return {"answers": answers}
    if "inbox" in args:
        return _inbox(work, live.clock.now_ns(), is_all=bool(args["inbox"]))
    raise UserError("treasury: expected words or inbox")


async def _told(live: Live, work: ActionWork, word: SignedWord) -> dict[str, Any]:
    dated = msgspec.structs.replace(word, at_ns=live.clock.now_ns())
    await live.tell(dated)
    return taken(work.outcomes[dated], work.desk)


def _inbox(work: TreasuryWork, now_ns: int, *, is_all: bool) -> dict[str, Any]:
    """Beside the proposals what the desk of conversions works on and what it waits for, what is out
    on a chain or on its way, the switches that are on, and each limit that waits to be wider, or
    to be reviewed, as the action to propose."""
    found = inbox(work.actions.desk, now_ns, is_all=is_all)
    desk = None if work.conversions is None else work.conversions.desk
    parents = [] if desk is None else list(desk.parents.values())
    found["conversions"] = [
        {
            "parent": parent.plan.parent,
            "state": parent.state,
            "why": parent.why,
            "done_atoms": parent.done_atoms,
            "out_atoms": parent.out_atoms,
            "atoms": parent.plan.atoms,
            "waits": desk.waits.get(parent.plan.parent, "") if desk else "",
        }
        for parent in parents
        if is_all or not parent.is_over
    ]
    found["on_chain"] = [] if work.chain is None else on_chain_rows(work.chain)
    found["switches"] = [
        {"scope": one.scope, "name": one.name, "who": one.who, "reason": one.reason}
        for one in (desk.switches.on.values() if desk else ())
    ]
    found["widenings"] = [
        {
            "type": "widen limit",
            "limit": one.name,
            "was": msgspec.json.encode(one.was).decode(),
            "becomes": msgspec.json.encode(one.wanted).decode(),
        }
        for one in work.steward.treasury.waiting
    ]
    found["widenings"] += [
        {"type": "widen limit", "limit": one.limit, "was": one.was, "becomes": one.becomes}
        for one in due_reviews(work.steward.treasury)
    ]
    return found


def on_chain_rows(chain: ChainHands) -> list[dict[str, Any]]:
    """Orders that are out, and transfers that left and have not arrived."""
    orders = [
        {"name": task.name, "place": task.place, "reference": task.reference, "is": "out"}
        for task in chain.tasks()
    ]
    flights = [
        {"name": sent.asset, "place": sent.to_venue, "reference": sent.ref, "is": "on its way"}
        for sent in chain.work.books.flights.values()
    ]
    return orders + flights
