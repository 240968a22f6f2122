"""People with keys, a policy, and requests of the treasury, for tests."""

from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from engine.runtime.signing import verify
from engine.treasury.action_bytes import (
    SIGNED_EVIDENCE,
    SIGNED_REQUEST,
    SIGNED_STATEMENT,
    digest_of,
    encoded,
)
from engine.treasury.action_desk import ActionDesk
from engine.treasury.amounts import Asset, Price
from engine.treasury.approvals import evidence_body
from engine.treasury.authority import AssetRule, Authority
from engine.treasury.authority_params import AuthorityParams
from engine.treasury.authority_rows import authority_of
from engine.values.action_records import (
    Absence,
    Answered,
    Asked,
    EvidenceGiven,
    Person,
    RosterSet,
    Tier,
)
from engine.values.action_words import (
    Action,
    Answer,
    Coins,
    Convert,
    Initiator,
    Request,
    Role,
    Scope,
    Statement,
    StopActions,
    Transfer,
    Trigger,
)
from engine.values.units import NS_PER_S, Ns

H = 3_600 * NS_PER_S
NOW: Ns = 1_795_000_000 * NS_PER_S
MONEY = Asset("USDT", 8)
BTT = AssetRule(name="BTT", exponent=8, price_ns_max=60 * NS_PER_S)
BTC = AssetRule(name="BTC", exponent=8, price_ns_max=60 * NS_PER_S)
FUNCTIONS = ("creator rewards", "rebates")
SIZED = [
    "convert", "rebalance", "hedge", "stake", "unstake", "add to pool", "take from pool",
    "transfer",
]  # fmt: skip


def bounds(each: str, window: str, tokens: str, window_tokens: str) -> dict[str, Any]:
    return {
        "each_money_max": each,
        "window_money_max": window,
        "each_tokens_max": {"BTT": tokens, "USDT": each},
        "window_tokens_max": {"BTT": window_tokens, "USDT": window},
    }


def row(name: str, tier: str, **rest: Any) -> dict[str, Any]:
    size = {} if "each_money_max" in rest else {"any_size": True}
    return {"name": name, "tier": tier, "why": "because", **size, **rest}


def policy_rows() -> list[dict[str, Any]]:
    """As shipped: routine, medium and large, with limits and emergencies apart."""
    routine = bounds("50", "200", "60000000", "240000000")
    medium = bounds("500", "2000", "600000000", "2400000000")
    return [
        row("kill switch", "automatic", kind=["stop"]),
        row("limits", "two people", kind=["widen limit"]),
        row("emergency", "executive", kind=["emergency sale"]),
        row("routine", "automatic", initiator=["engine"], kind=["convert", "hedge"], **routine),
        row("medium", "two people", kind=SIZED, **medium),
        row("the rest", "executive"),
    ]


def override_rows() -> list[dict[str, Any]]:
    return [
        {
            "trigger": trigger.value,
            "roles": ["operations", "executive"],
            "alone": trigger is Trigger.EXCHANGE_OUTAGE,
            "act_within_min": 60,
            "does": ["stop", "transfer", "convert"],
            "money_max": "1000",
            "evidence": ["status page", "balances"],
            "evidence_h": 24,
        }
        for trigger in Trigger
    ]


def addresses() -> list[dict[str, str]]:
    """The cold wallet has many; a platform and two pools have one each."""
    known = ["TXabc123", *(f"TX{number}" for number in range(10))]
    wallet = {"place": "cold wallet", "network": "tron", "memo": ""}
    found = [wallet | {"address": address} for address in known]
    for place in ("p", "bttc", "BTT-USDT"):
        found.append({"place": place, "network": "", "memo": "", "address": "0x1"})
    return found


def params(**changes: Any) -> AuthorityParams:
    table = {
        "desk": "test",
        "window_h": 24,
        "request_h_max": 72,
        "approval_h_max": 24,
        "settle_s": 60,
        "review_h": 72,
        "codes": ["excess", "outage", "policy"],
        "rows": policy_rows(),
        "overrides": override_rows(),
        "addresses": addresses(),
    }
    return msgspec.convert(table | changes, AuthorityParams)


def authority(**changes: Any) -> Authority:
    return authority_of(params(**changes), MONEY, [BTT, BTC], FUNCTIONS)


class Signer:
    """A person with a key that is the same in every run."""

    def __init__(self, name: str, role: Role) -> None:
        self.name, self.role = name, role
        self._key = Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32, b"."))
        self.public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    def person(self, *absences: tuple[Ns, Ns]) -> Person:
        away = [Absence(from_ns=start, until_ns=end) for start, end in absences]
        return Person(name=self.name, role=self.role, key=self.public, contact="", absences=away)

    def asks(self, request: Request, at_ns: Ns = NOW) -> Asked:
        body = encoded(request)
        return Asked(at_ns=at_ns, body=body, signature=self._key.sign(SIGNED_REQUEST + body))

    def answers(self, asked: Asked, at_ns: Ns = NOW, **changes: Any) -> Answered:
        return self.signs(msgspec.structs.replace(self.statement(asked, at_ns), **changes), at_ns)

    def statement(self, asked: Asked, at_ns: Ns = NOW) -> Statement:
        name = msgspec.json.decode(asked.body)["name"]
        return Statement(
            digest=digest_of(asked.body), name=name, answer=Answer.APPROVE, who=self.name,
            role=self.role, at_ns=at_ns, expires_ns=at_ns + 12 * H, why="",
        )  # fmt: skip

    def signs(self, statement: Statement, at_ns: Ns = NOW) -> Answered:
        body = encoded(statement)
        signature = self._key.sign(SIGNED_STATEMENT + body)
        return Answered(at_ns=at_ns, body=body, signature=signature)

    def gives(self, name: str, item: str, at_ns: Ns = NOW) -> EvidenceGiven:
        word = EvidenceGiven(
            at_ns=at_ns, name=name, item=item, digest="ab" * 32, who=self.name, signature=b""
        )
        signature = self._key.sign(SIGNED_EVIDENCE + evidence_body(word))
        return msgspec.structs.replace(word, signature=signature)


ANNA, FAY = Signer("anna", Role.FINANCE), Signer("fay", Role.FINANCE)
OTTO, OLGA = Signer("otto", Role.OPERATIONS), Signer("olga", Role.OPERATIONS)
EVA = Signer("eva", Role.EXECUTIVE)
EVERYBODY = (ANNA, FAY, OTTO, OLGA, EVA)


def roster_set(*people: Person) -> RosterSet:
    everybody = list(people) or [signer.person() for signer in EVERYBODY]
    digest = digest_of(msgspec.json.encode(everybody))
    return RosterSet(at_ns=NOW, who="test", name="roster.toml", digest=digest, people=everybody)


POLICY, ROSTER = authority(), roster_set()


def btt_price(at_ns: Ns = NOW, money: int = 62) -> Price:
    """0.00000062 USDT as shipped."""
    return Price(asset="BTT", money_atoms=money, base_atoms=100_000_000, at_ns=at_ns)


def desk(*people: Person, policy: Authority | None = None, at_ns: Ns = NOW) -> ActionDesk:
    made = ActionDesk(policy or POLICY, verify)
    made.load(roster_set(*people) if people else ROSTER)
    made.price(btt_price(at_ns))
    return made


def btt(tokens: int) -> Coins:
    return Coins(asset="BTT", atoms=tokens * 10**8, exponent=8)


def usdt(tokens: int) -> Coins:
    return Coins(asset="USDT", atoms=tokens * 10**8, exponent=8)


def convert(tokens: int = 100_000_000, at_ns: Ns = NOW) -> Convert:
    """62 USDT worth: medium. Wanted at `at_ns`."""
    return Convert(sell=btt(tokens), least=usdt(1), venues=["binance"], until_ns=at_ns + 4 * H)


def transfer(tokens: int = 100_000_000, address: str = "TXabc123") -> Transfer:
    return Transfer(
        coins=btt(tokens), from_place="binance", to_place="cold wallet", network="tron",
        address=address, memo="",
    )  # fmt: skip


def stop() -> StopActions:
    return StopActions(scope=Scope.VENUE, name="binance")


def request(name: str = "p1", action: Action | None = None, **changes: Any) -> Request:
    made = Request(
        desk="test", name=name, at_ns=NOW, expires_ns=NOW + 24 * H, who="anna",
        initiator=Initiator.FINANCE, function="rebates", code="excess", why="over the band",
        action=action or convert(at_ns=changes.get("at_ns", NOW)),
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def engine_request(
    name: str = "e1", action: Action | None = None, at_ns: Ns = NOW, **changes: Any
) -> Request:
    return request(
        name, action or convert(10_000_000, at_ns), who="engine", initiator=Initiator.ENGINE,
        at_ns=at_ns, expires_ns=at_ns + 24 * H, **changes,
    )  # fmt: skip


def tier_of(made: ActionDesk, name: str) -> Tier:
    return made.proposals[name].ruling.tier
