"""What a config that names a treasury begins with: its files as text, and the facts in them.

The text is read once, with the config, and is part of its hash and of a recording: a replay and a
back-test begin with the same facts as the run did.
"""

from collections.abc import Mapping
from pathlib import Path

from engine.runtime.authority_file import authority_in, authority_word, roster_in, roster_word
from engine.runtime.config_tables import TreasuryConfig
from engine.runtime.person_file import read_text
from engine.runtime.treasury_file import TreasuryFile, parse_treasury, treasury_digest
from engine.runtime.treasury_rows import locks_in, obligations_in
from engine.runtime.treasury_statements import balances_in
from engine.values.action_records import AuthoritySet, RosterSet
from engine.values.errors import UserError
from engine.values.treasury_words import LimitsSet, TreasuryFact
from engine.values.units import Ns

WHO = "file"


def texts_of(wanted: TreasuryConfig) -> dict[str, str]:
    """Every file of the treasury by the name that the config has for it, all of them checked.

    Raises UserError with a line for each mistake of the first file that has one.
    """
    texts = {wanted.file: read_text(Path(wanted.file))}
    file = file_in(wanted, texts)
    named = [file.files.obligations, file.files.locks] if file.files is not None else []
    for name in [*filter(None, [*named, wanted.roster]), *wanted.statements]:
        texts[name] = read_text(Path(name))
    start_facts(wanted, texts, 0)
    desk_words(wanted, texts, 0)
    return texts


def file_in(wanted: TreasuryConfig, texts: Mapping[str, str]) -> TreasuryFile:
    """The treasury file itself. Raises UserError."""
    return parse_treasury(texts[wanted.file], wanted.file)


def start_facts(wanted: TreasuryConfig, texts: Mapping[str, str], at_ns: Ns) -> list[TreasuryFact]:
    """The limits, then what is owed, locked and held according to statements. Raises UserError."""
    file = file_in(wanted, texts)
    found: list[TreasuryFact] = [
        LimitsSet(
            at_ns=at_ns,
            who=WHO,
            name=wanted.file,
            digest=treasury_digest(file),
            rows=file.limits,
        )
    ]
    if file.files is not None and (name := file.files.obligations):
        found.append(obligations_in(texts[name], name, file, at_ns, WHO))
    if file.files is not None and (name := file.files.locks):
        found.append(locks_in(texts[name], name, file, at_ns, WHO))
    for name in wanted.statements:
        found += balances_in(texts[name], name, file, at_ns, WHO)
    return found


def desk_words(
    wanted: TreasuryConfig, texts: Mapping[str, str], at_ns: Ns
) -> list[AuthoritySet | RosterSet]:
    """The policy of approvals and the people who may sign. Raises UserError.

    What is in force already says nothing new to the desk; what is wider waits for its approval.
    """
    if not wanted.roster:
        return []
    authority = authority_in(file_in(wanted, texts))
    if authority is None:
        raise UserError(f"{wanted.file}: authority: missing, and the config names a roster")
    for name, given, known in (
        ("function", wanted.function, authority.functions),
        ("code", wanted.code, authority.codes),
    ):
        if given and given not in known:
            raise UserError(f'treasury.{name}: "{given[:40]}" is none of: {", ".join(known)}')
    people = roster_in(texts[wanted.roster], wanted.roster)
    return [
        authority_word(authority, wanted.file, WHO, at_ns),
        roster_word(people, wanted.roster, WHO, at_ns),
    ]
