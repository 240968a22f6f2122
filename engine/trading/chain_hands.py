"""Joins what a chain says to the desk of actions, the treasury, the ledger and our own accounts."""

from collections.abc import Mapping, Sequence

from engine.trading.action_result import Result
from engine.trading.action_work import ActionWork
from engine.trading.chain_work import ChainTask, ChainWork, on_chain
from engine.trading.maker import Maker
from engine.trading.steward import Steward
from engine.trading.wards import balances_of
from engine.treasury.depth import rescaled
from engine.values.action_records import Ending
from engine.values.action_words import Transfer
from engine.values.chain_words import ChainTold, ChainWord
from engine.values.ledger_words import LedgerWord, LockMoved, TransferArrived, TransferSent
from engine.values.records import Record
from engine.values.step import Step
from engine.values.treasury_words import FloatSet, TreasuryFact
from engine.values.units import Ns

MOVED = (TransferSent, TransferArrived, LockMoved)


class ChainHands:
    """Acts for one treasury: after every word of the chain all that follows from it is in the step,
    the words of the ledger before what they make of locks and balances, the action's end last."""

    def __init__(self, steward: Steward, actions: ActionWork, work: ChainWork) -> None:
        self.work = work
        self._steward = steward
        self._actions = actions
        self._makers: dict[str, Maker] = {}
        self._filled: set[str] = set()

    def __repr__(self) -> str:
        return f"<hands of {self.work!r}>"

    def open(self, makers: dict[str, Maker]) -> None:
        """One market of each venue speaks for its account."""
        self._makers = {maker.quoter.setup.instrument.venue: maker for maker in makers.values()}
        self.work.open(self._makers)

    def tasks(self) -> list[ChainTask]:
        return list(self.work.tasks(self._actions.desk.unresolved()))

    def hear(self, word: ChainWord, now_ns: Ns, step: Step) -> None:
        unresolved = self._actions.desk.unresolved()
        words: list[LedgerWord] = []
        ends: dict[str, Result] = {}
        if isinstance(word, ChainTold):
            names = [one.name for one in unresolved if one.reference == word.reference]
            result = self.work.told(word, words) if names else None
            if result is not None:
                ends[names[0]] = result
            elif names and word.status is None:
                self._actions.absent(names[0], word.asked_ns, now_ns, step)
        else:
            self._steward.shown |= {word.place} & self.work.wallets
            words, ends = self.work.seen(word, unresolved)
        step.records += words
        self._count(words, self._floats(ends, now_ns), now_ns, step)
        for name, result in ends.items():
            self._actions.tell(name, result, now_ns, step)

    def on_word(self, word: LedgerWord, now_ns: Ns, step: Step) -> None:
        """Somebody else said that a transfer of ours arrived, or what a wallet is paid."""
        self.work.books.remember(word)
        self._count([], [], now_ns, step)

    def remember(self, record: Record) -> None:
        """A record of an earlier session, in its order."""
        self.work.remember(record)
        if isinstance(record, FloatSet):
            self._filled.add(record.reason)

    def _count(
        self, words: Sequence[LedgerWord], floats: Sequence[FloatSet], now_ns: Ns, step: Step
    ) -> None:
        """Locks, balances and floats as they are after these words, at one moment."""
        for word in words:
            self._expect(word)
        holdings = self._steward.treasury.holdings
        facts: list[TreasuryFact] = [*self.work.facts(words, now_ns, holdings), *floats]
        for venue in sorted({word.venue for word in words if isinstance(word, MOVED)}):
            if venue in self._makers:
                facts.insert(0, balances_of(self._makers[venue], holdings.scheme, now_ns))
        if facts:
            self._steward.learn_all(facts, "the chain", step)
            self._steward.after(facts[-1], now_ns, step)

    def _floats(self, ends: Mapping[str, Result], now_ns: Ns) -> list[FloatSet]:
        """A transfer that was asked for to fill a float fills it, once."""
        found = []
        for name, result in ends.items():
            proposal = self._actions.desk.proposals[name]
            action, code = on_chain(proposal.request.action), self.work.section.float_code
            reason = f"filled by {proposal.reference}"
            is_wanted = code and proposal.request.code == code and result.ending is Ending.DONE
            if not is_wanted or not isinstance(action, Transfer) or reason in self._filled:
                continue
            key = action.to_place, action.coins.asset
            working = self._steward.treasury.holdings.facts().working.get(key)
            if working is not None:
                self._filled.add(reason)
                found.append(
                    FloatSet(
                        at_ns=now_ns,
                        who=proposal.request.who,
                        venue=key[0],
                        asset=key[1],
                        atoms=working + self.work.books.atoms(action.coins),
                        reason=reason,
                    )
                )
        return found

    def _expect(self, word: LedgerWord) -> None:
        """What left a venue of ours, or came there, is expected of its account."""
        match word:
            case TransferSent():
                atoms = -word.atoms - word.fee_atoms
            case TransferArrived():
                atoms = word.atoms
            case LockMoved():
                atoms = -word.atoms
            case _:
                return
        maker = self._makers.get(word.venue)
        if maker is not None:
            was = self._steward.treasury.holdings.scheme.asset(word.asset).exponent
            portfolio = maker.keeper.portfolio
            moved = rescaled(atoms, was, portfolio.exponent(word.asset))
            portfolio.adjust(word.asset, moved, word.at_ns)
