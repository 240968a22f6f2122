"""`ballast treasury propose`, `approve`, `reject`, `evidence`: words that a person signs.

The private key is read here, on the signer's own machine, and nothing of it goes further: what
leaves is a signed word, to a desk (`--at`) or into a file (`--out`) for somebody to carry there.
"""

import hashlib
import secrets
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from engine.cli.show import as_json, as_text
from engine.cli.treasury_desk import (
    DEFAULT_DESK,
    As,
    At,
    Desk,
    FactsFlag,
    Json,
    Key,
    Out,
    TreasuryFileFlag,
    deliver,
    now_ns,
    running_inbox,
)
from engine.runtime.action_driver import desk_of
from engine.runtime.action_files import load_action, load_word, save_word
from engine.runtime.authority_file import load_authority
from engine.runtime.person_file import BYTES_MAX, read_bytes
from engine.runtime.signing import Signer
from engine.treasury.action_bytes import (
    SIGNED_EVIDENCE,
    SIGNED_REQUEST,
    SIGNED_STATEMENT,
    NotCanonical,
    decoded,
    digest_of,
    encoded,
)
from engine.treasury.action_text import text_of
from engine.treasury.approvals import evidence_body
from engine.treasury.dates import NS_PER_H
from engine.treasury.desk_step import SignedWord
from engine.values.action_records import Answered, Asked, EvidenceGiven
from engine.values.action_words import Answer, Initiator, Override, Request, Role, Statement
from engine.values.errors import UserError
from engine.values.units import NS_PER_S

DOCUMENT_BYTES_MAX = 100 * BYTES_MAX

What = Annotated[str, typer.Argument(help="A file of a proposal, or its name at the desk.")]
RoleFlag = Annotated[Role, typer.Option("--role", help="Your role on the roster.")]
Hours = Annotated[int, typer.Option("--hours", min=1, help="For how long it is valid.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before signing.")]


def propose(
    action: Annotated[Path, typer.Argument(help="The action, as JSON.")],
    file: Annotated[Path, typer.Option("--file", help="The treasury file of the desk.")],
    function: Annotated[str, typer.Option("--function", help="For which business function.")],
    code: Annotated[str, typer.Option("--code", help="Reason code of the policy.")],
    why: Annotated[str, typer.Option("--why", help="Why, for people.")],
    who: As,
    role: RoleFlag,
    key: Key,
    hours: Hours = 24,
    at: At = DEFAULT_DESK,
    facts: FactsFlag = None,
    out: Out = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Ask for ACTION. What is signed is shown first, made from the very bytes that are signed."""
    authority = load_authority(file)
    _known("--function", function, authority.functions)
    _known("--code", code, authority.codes)
    asked = load_action(action, authority)
    at_ns = now_ns()
    expires_ns = at_ns + hours * NS_PER_H
    if isinstance(asked, Override):
        rows = [row for row in authority.overrides if row.trigger == asked.trigger]
        expires_ns = min([expires_ns, *(asked.seen_ns + row.act_within_ns for row in rows)])
    name = f"{at_ns // NS_PER_S}-{who}-{secrets.token_hex(4)}"
    request = Request(
        desk=authority.desk, name=name, at_ns=at_ns, expires_ns=expires_ns, who=who,
        initiator=Initiator(role.value), function=function, code=code, why=why, action=asked,
    )  # fmt: skip
    body = _encoded(request)
    _agree(body, yes=yes, json=json, word="propose")
    word = Asked(at_ns=0, body=body, signature=Signer(key).sign(SIGNED_REQUEST + body))
    _hand_over(word, Desk(at=at, file=file, facts=facts, loads=False), out, json)


def approve(
    what: Annotated[str, typer.Argument(help="A file of a proposal, or its name at the desk.")],
    who: As, role: RoleFlag, key: Key, hours: Hours = 12, at: At = DEFAULT_DESK,
    file: TreasuryFileFlag = None, facts: FactsFlag = None, out: Out = None, yes: Yes = False,
    json: Json = False,
) -> None:  # fmt: skip
    """Sign that WHAT may be done. It counts once, for these exact bytes, until it expires."""
    body = _body_of(what, at)
    _agree(body, yes=yes, json=json, word="approve")
    statement = _statement(body, (who, role), Answer.APPROVE, hours)
    _hand_over(_signed(statement, key), Desk(at=at, file=file, facts=facts), out, json)


def reject(
    what: What, who: As, role: RoleFlag, key: Key,
    why: Annotated[str, typer.Option("--why", help="Why not.")],
    at: At = DEFAULT_DESK, out: Out = None, yes: Yes = False, json: Json = False,
) -> None:  # fmt: skip
    """Sign that WHAT may not be done. One rejection ends it; who asked may take it back."""
    body = _body_of(what, at)
    _agree(body, yes=yes, json=json, word="reject")
    statement = _statement(body, (who, role), Answer.REJECT, 1)
    rejected = msgspec.structs.replace(statement, why=why)
    _hand_over(_signed(rejected, key), Desk(at=at), out, json)


def evidence(
    name: Annotated[str, typer.Argument(help="The proposal that it belongs to.")],
    item: Annotated[str, typer.Argument(help="Which evidence, as the policy calls it.")],
    document: Annotated[Path, typer.Argument(help="The document; its SHA-256 is kept.")],
    who: As,
    key: Key,
    at: At = DEFAULT_DESK,
    out: Out = None,
    json: Json = False,
) -> None:
    """Hand in what had to follow an override, or the review of a large action."""
    unsigned = EvidenceGiven(
        at_ns=0, name=name, item=item, digest=_digest_of_file(document), who=who, signature=b""
    )
    signature = Signer(key).sign(SIGNED_EVIDENCE + evidence_body(unsigned))
    word = msgspec.structs.replace(unsigned, signature=signature)
    _hand_over(word, Desk(at=at), out, json)


def _known(flag: str, given: str, known: list[str]) -> None:
    """Before anything is signed: a word that the policy does not know would be refused."""
    if given not in known:
        raise UserError(f'{flag}: "{given[:40]}" is none of: {", ".join(known)}')


def _body_of(what: str, at: Path) -> bytes:
    """The bytes of a proposal, from a file or from the journal of a desk. Raises UserError."""
    path = Path(what)
    if path.is_file():
        word = load_word(path)
        if not isinstance(word, Asked):
            raise UserError(f"{path}: is no proposal")
        return word.body
    running = running_inbox(Desk(at=at), is_all=True)
    if running is not None:
        found = [one["body"].encode() for one in running["proposals"] if one["name"] == what]
        if not found:
            raise UserError(f"{what[:60]}: neither a file nor a proposal of the engine at {at}")
        return bytes(found[0])
    proposal = desk_of(Desk(at=at).where.kept_desk(), None).proposals.get(what)
    if proposal is None:
        raise UserError(f"{what[:60]}: neither a file nor a proposal at {at}")
    return proposal.body


def _statement(body: bytes, person: tuple[str, Role], answer: Answer, hours: int) -> Statement:
    at_ns = now_ns()
    return Statement(
        digest=digest_of(body), name=decoded(body, Request).name, answer=answer, who=person[0],
        role=person[1], at_ns=at_ns, expires_ns=at_ns + hours * NS_PER_H, why="",
    )  # fmt: skip


def _signed(statement: Statement, key: Path) -> Answered:
    body = _encoded(statement)
    return Answered(at_ns=0, body=body, signature=Signer(key).sign(SIGNED_STATEMENT + body))


def _encoded(body: Request | Statement) -> bytes:
    try:
        return encoded(body)
    except NotCanonical as error:
        raise UserError(f"what you wrote: {error}") from error


def _agree(body: bytes, *, yes: bool, json: bool, word: str) -> None:
    """Show what the bytes say, and ask. Raises UserError where nobody can answer."""
    try:
        text = text_of(body)
    except NotCanonical as error:
        raise UserError(f"these bytes are no request: {error}") from error
    if not json:
        as_text(text)
    if yes:
        return
    if json:
        raise UserError("with --json nobody is asked: add --yes once you have read what it says")
    typer.confirm(f"{word} this?", abort=True)


def _hand_over(word: SignedWord, desk: Desk, out: Path | None, json: bool) -> None:
    if out is not None:
        save_word(word, out)
        answer: dict[str, Any] = {"ok": True, "out": str(out)}
        text = f"{out}: signed; hand it in with: ballast treasury inbox --take {out}"
    else:
        [answer] = deliver(desk, [word])
        text = answer_line(answer)
    if json:
        as_json(answer)
    else:
        as_text(text)
    if not answer["ok"]:
        raise typer.Exit(1)


def answer_line(answer: dict[str, Any]) -> str:
    """One line on what became of a word."""
    if not answer["ok"]:
        return f"refused: {answer['why']}"
    needs = f"; still needs: {', '.join(answer['needs'])}" if answer["needs"] else ""
    return f"{answer['name']}: {answer['status']}{needs}"


def _digest_of_file(path: Path) -> str:
    return hashlib.sha256(read_bytes(path, DOCUMENT_BYTES_MAX)).hexdigest()
