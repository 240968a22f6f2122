"""Five runbooks for the first fifteen minutes: who, what, by when, what to say, the way back.

They are data, so that the page which people read, the drill that is run and the report that it
leaves are the same text. A step of a machine is timed when it is drilled; a step of people has the
time that is allowed for it, unless the drill is run with people.
"""

import msgspec

from engine.values.action_words import Role, Trigger

MINUTES = 15
SECONDS = MINUTES * 60


class RunbookStep(msgspec.Struct, frozen=True, kw_only=True):
    """`allowed_s`: it should take no longer. `is_drilled`: done by the drill itself, and timed."""

    key: str
    who: str
    do: str
    allowed_s: int
    is_drilled: bool


class Runbook(msgspec.Struct, frozen=True, kw_only=True):
    """`decides`: who may say go, the first one that answers. `say`: to whom, and the words."""

    name: str
    title: str
    seen: str
    trigger: Trigger
    decides: tuple[Role, ...]
    never: str
    steps: tuple[RunbookStep, ...]
    say: tuple[tuple[str, str], ...]
    roll_back: str


def _machine(key: str, do: str, allowed_s: int, who: str = "engine") -> RunbookStep:
    return RunbookStep(key=key, who=who, do=do, allowed_s=allowed_s, is_drilled=True)


def _people(key: str, who: str, do: str, allowed_s: int) -> RunbookStep:
    return RunbookStep(key=key, who=who, do=do, allowed_s=allowed_s, is_drilled=False)


EXCHANGE_DOWN = Runbook(
    name="exchange-down",
    title="An exchange is down",
    seen="`ballast status` says PULLED, the public link is in doubt, cancels get no answer.",
    trigger=Trigger.EXCHANGE_OUTAGE,
    decides=(Role.OPERATIONS, Role.EXECUTIVE),
    never="Never send an order again because its answer is missing: it may be in the book.",
    steps=(
        _machine("notice", "The engine sees the silence, stops quoting and asks for cancels.", 10),
        _people(
            "confirm",
            "operations",
            "Look at the venue's status page and at a second network. Write down the time.",
            120,
        ),
        _machine(
            "count",
            "Count orders whose state is unknown as if they could still fill; lock the venue.",
            10,
        ),
        _machine(
            "ladder",
            "`ballast treasury ladder` for what falls due: nothing at the venue counts.",
            10,
        ),
        _people("decide", "operations", "Decide: stop the venue. One of the roles is enough.", 120),
        _machine("act", "The override is signed, ruled on and carried out: the venue stops.", 10),
        _people("say", "operations", "Tell the people named below, with the words below.", 180),
        _machine(
            "roll back",
            "When the venue answers: reconcile first, then a person resumes, then quote.",
            60,
        ),
        _machine("evidence", "Hand in the evidence that the override asks for.", 10, "operations"),
    ),
    say=(
        ("finance", "The exchange has been silent since TIME. LIQUID is liquid without it."),
        ("whoever is owed next", "Your payment of DATE is covered from elsewhere: yes or no."),
        ("the public", "Trading on EXCHANGE is interrupted. No funds are reported lost."),
    ),
    roll_back=(
        "Resume each market by name once `ballast why` shows it reconciled. Take the halted row "
        "out of locks.csv. Nothing was sold, so nothing has to be bought back."
    ),
)

WALLET_COMPROMISE = Runbook(
    name="wallet-compromise",
    title="A wallet or an API key is in other hands",
    seen="A market is frozen by an order that we never intended, or the wallet holds less than "
    "the ledger says.",
    trigger=Trigger.WALLET_COMPROMISE,
    decides=(Role.OPERATIONS, Role.EXECUTIVE),
    never="Never wait for certainty before the keys are revoked: a key can be made again.",
    steps=(
        _machine("notice", "The engine meets an order of somebody else, and freezes.", 10),
        _machine("stop", "The kill switch stops everything: no signature is needed.", 10),
        _people("confirm", "operations", "Name the key or the wallet. Wake the executive.", 60),
        _machine("revoke", "Revoke the key at the venue; the thief's next order is refused.", 30),
        _people("decide", "executive", "Decide: move the rest to the reserve wallet.", 120),
        _machine("move", "Signed and sent once; it races the thief to the next block.", 60),
        _machine("count", "Count what is left: liquid value, and the first date not covered.", 10),
        _people("say", "executive", "Tell the people named below, with the words below.", 240),
        _machine(
            "roll back",
            "A person claims the strange fills, and the market quotes again.",
            60,
        ),
    ),
    say=(
        ("the exchange", "Key KEY is stolen and revoked. Freeze withdrawals of account ACCOUNT."),
        ("finance", "AMOUNT is gone, REST is at the reserve wallet. First date short: DATE."),
        ("legal", "Incident at TIME. Evidence is kept: journal, chain records, this report."),
    ),
    roll_back=(
        "New keys on a clean machine, then resume each market by name: that claims the strange "
        "fills as losses. Move funds back only after the review."
    ),
)

CUSTODY = Runbook(
    name="custody",
    title="The custody provider does not answer",
    seen="Balances and transfers at the custodian end in time-outs; what was sent is unknown.",
    trigger=Trigger.WITHDRAWAL_HALT,
    decides=(Role.OPERATIONS, Role.EXECUTIVE),
    never="Never send a transfer again because its answer is missing: ask for the first one.",
    steps=(
        _machine("notice", "Balances are not answered: the place's units stop counting.", 10),
        _people(
            "confirm", "operations", "Call the custodian's number on file, not the web's.", 180
        ),
        _machine("in doubt", "A transfer under way stays unknown and is not sent again.", 10),
        _machine("count", "Lock the place; liquid value and first uncovered date without it.", 10),
        _machine("ladder", "`ballast treasury ladder` for what falls due, without custody.", 10),
        _people("decide", "operations", "Decide: hold new transfers; who is paid from where.", 120),
        _machine("act", "The override is signed and carried out: transfers to it stop.", 10),
        _people("say", "finance", "Tell the people named below, with the words below.", 180),
        _machine(
            "roll back",
            "It answers again: what was under way is asked for and ends once.",
            60,
        ),
    ),
    say=(
        ("finance", "Custody has not answered since TIME. LIQUID is liquid without it."),
        ("whoever is owed next", "Your payment of DATE is covered from elsewhere: yes or no."),
        ("the custodian", "References of transfers in doubt: REFERENCES. State of each, please."),
    ),
    roll_back=(
        "Compare each balance with the ledger first. Then take the halted row out of locks.csv, "
        "and let the desk settle what was in doubt: it asks, it does not send."
    ),
)

DELAYED_SETTLEMENT = Runbook(
    name="delayed-settlement",
    title="Orders or payouts settle late",
    seen="Orders are UNKNOWN for seconds, private streams are cut, a withdrawal does not arrive.",
    trigger=Trigger.WITHDRAWAL_HALT,
    decides=(Role.FINANCE, Role.OPERATIONS),
    never="Never count what is on its way as there, and never pay the same obligation twice.",
    steps=(
        _machine("notice", "Answers are lost; the engine counts each order in doubt.", 20),
        _machine("resolve", "It asks the venue for each of them; none is sent twice.", 60),
        _people("confirm", "finance", "Compare the venue's statement with ours.", 180),
        _machine("count", "What is in withdrawal is a lock; the curve is made without it.", 10),
        _machine("ladder", "`ballast treasury ladder` for what falls due before it arrives.", 10),
        _people("decide", "finance", "Decide: pay from the ladder, or agree on a later date.", 180),
        _people("say", "finance", "Tell the people named below, with the words below.", 180),
        _machine("roll back", "Settled: the books agree with the venue to the atom.", 60),
    ),
    say=(
        ("whoever is owed next", "Your payment of DATE arrives on DATE, from another account."),
        ("the venue", "Withdrawal REFERENCE, asked at TIME, has not arrived. State, please."),
    ),
    roll_back=(
        "When it has arrived, take its row out of locks.csv. What was sold for it is not bought "
        "back by itself: that is a decision for the next morning."
    ),
)

CHAIN_CONGESTION = Runbook(
    name="chain-congestion",
    title="The chain is congested, or stops for an upgrade",
    seen="Transactions wait for a block far longer than usual, or no block comes at all.",
    trigger=Trigger.WITHDRAWAL_HALT,
    decides=(Role.OPERATIONS, Role.EXECUTIVE),
    never="Never send a second transaction while the first can still be in a block.",
    steps=(
        _machine("notice", "A transfer waits for a block longer than it ever does.", 20),
        _people("confirm", "operations", "Look at two explorers and the chain's own notice.", 120),
        _machine("ladder", "`ballast treasury ladder`: rungs on the chain come too late.", 10),
        _people("decide", "operations", "Decide: wait, or pay from what lies at venues.", 120),
        _machine(
            "expire", "It expires unseen: failed, nothing moved, and nobody sent it again.", 60
        ),
        _machine("upgrade", "The chain makes no block at all: what is sent waits.", 30),
        _people("say", "operations", "Tell the people named below, with the words below.", 180),
        _machine("roll back", "Blocks come again: one new request, confirmed once.", 60),
    ),
    say=(
        (
            "finance",
            "Transfers on CHAIN wait. Nothing is lost. Rungs on the chain count from TIME.",
        ),
        ("whoever is owed next", "Your payment of DATE goes out by DATE, from a venue."),
    ),
    roll_back=(
        "Ask anew for what failed, by a new name; the old one can be in no block any more. Add "
        "to unwind_h in locks.csv what the queue has become."
    ),
)

RUNBOOKS = {
    runbook.name: runbook
    for runbook in (
        EXCHANGE_DOWN,
        WALLET_COMPROMISE,
        CUSTODY,
        DELAYED_SETTLEMENT,
        CHAIN_CONGESTION,
    )
}


def planned_s(runbook: Runbook) -> int:
    """All of its steps at their allowance: never more than the fifteen minutes."""
    return sum(step.allowed_s for step in runbook.steps)
