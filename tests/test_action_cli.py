"""`ballast treasury propose|approve|reject|inbox|roster|simulate`, as people and scripts use it."""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.cli.treasury import app
from engine.cli.treasury_inbox import inbox_lines
from engine.runtime.action_answers import inbox, taken
from engine.runtime.action_driver import open_driver
from engine.runtime.action_files import load_action, load_word, save_word, word_of
from engine.runtime.action_talk import VERB, DeskTalk
from engine.runtime.authority_file import load_authority
from engine.runtime.config import SOCKET_NAME
from engine.runtime.control import ControlServer
from engine.treasury.action_desk import ActionDesk
from engine.values.action_words import Transfer
from engine.values.errors import UserError
from tests.action_builders import ANNA, NOW, OTTO, POLICY, ROSTER, desk, request

SHIPPED = Path(__file__).resolve().parent.parent / "configs" / "treasury.toml"
TRANSFER = {
    "type": "transfer", "coins": {"asset": "BTT", "amount": "100000000"}, "from_place": "loopback",
    "to_place": "cold wallet", "network": "tron", "address": "demo-cold-wallet", "memo": "",
}  # fmt: skip


class Office:
    """A directory with three people, their keys, a desk, and the command."""

    def __init__(self, directory: Path) -> None:
        self.at = directory
        self.desk = directory / "desk"
        rows = []
        for name, role in (("anna", "finance"), ("otto", "operations"), ("eva", "executive")):
            made = self.answer("roster", "key", name, "--out", str(directory / f"{name}.key"))[1]
            rows.append(
                f'[[people]]\nname = "{name}"\nrole = "{role}"\nkey = "{made["key"]}"\n'
                'contact = ""\n'
            )
        self.roster = self.saved("roster.toml", "\n".join(rows))
        self.action = self.saved("action.json", json.dumps(TRANSFER))

    def saved(self, name: str, text: str) -> Path:
        (self.at / name).write_text(text)
        return self.at / name

    def ran(self, *words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, [str(word) for word in words])
        if isinstance(result.exception, UserError):
            return result.exception.exit_code, str(result.exception)
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        return result.exit_code, result.output

    def answer(self, *words: str) -> tuple[int, Any]:
        code, text = self.ran(*words, "--json")
        return code, json.loads(text.splitlines()[-1]) if code < 2 else text

    def load(self) -> tuple[int, Any]:
        return self.answer("roster", "load", str(self.roster), *self.to, "--file", str(SHIPPED))

    @property
    def to(self) -> list[str]:
        return ["--at", str(self.desk)]

    def signs(self, name: str, role: str) -> list[str]:
        return ["--as", name, "--role", role, "--key", str(self.at / f"{name}.key"), "--yes"]

    def propose(self, *more: str) -> tuple[int, Any]:
        why = ["--function", "rebates", "--code", "payout", "--why", "to the cold wallet"]
        return self.answer(
            "propose", str(self.action), "--file", str(SHIPPED), *why,
            *self.signs("anna", "finance"), *self.to, *more,
        )  # fmt: skip


@pytest.fixture
def office(tmp_path: Path) -> Office:
    made = Office(tmp_path)
    code, answer = made.load()
    assert (code, answer["ok"]) == (0, True), answer
    return made


def test_a_request_is_approved_carried_out_once_and_reviewed(office: Office) -> None:
    code, asked = office.propose()
    assert (code, asked["status"], asked["needs"]) == (0, "proposed", ["executive"])
    name = asked["name"]
    code, answer = office.answer("approve", name, *office.signs("eva", "executive"), *office.to)
    assert (code, answer["status"]) == (0, "approved")
    paper = office.at / "paper"
    code, done = office.answer("carry-out", "--paper", str(paper), *office.to)
    assert [one["status"] for one in done["done"]] == ["done"]
    code, done = office.answer("carry-out", "--paper", str(paper), *office.to)
    assert done["done"] == []
    assert len(paper.read_text().splitlines()) == 1
    code, waiting = office.answer("inbox", *office.to)
    assert [one["missing"] for one in waiting["proposals"]] == [["review"]]
    otto = ["--as", "otto", "--key", str(office.at / "otto.key")]
    code, _ = office.answer("evidence", name, "review", str(office.roster), *otto, *office.to)
    assert code == 0
    assert office.answer("inbox", *office.to)[1]["proposals"] == []


def test_words_travel_as_files(office: Office) -> None:
    """Each signs on a machine of their own, where there is no desk."""
    asked, approved = office.at / "asked.json", office.at / "approved.json"
    assert office.propose("--out", str(asked))[0] == 0
    eva = office.signs("eva", "executive")
    code, answer = office.answer("approve", str(asked), *eva, "--out", str(approved))
    assert (code, answer["out"]) == (0, str(approved))
    code, found = office.answer("inbox", "--take", str(asked), "--take", str(approved), *office.to)
    assert code == 0
    assert [one["status"] for one in found["taken"]] == ["proposed", "approved"]
    code, found = office.answer("inbox", "--take", str(approved), *office.to)
    assert (code, found["taken"][0]["ok"]) == (1, False)


def test_what_is_shown_before_signing_is_made_from_the_bytes(office: Office) -> None:
    why = ["--function", "rebates", "--code", "payout", "--why", "x"]
    out = ["--out", str(office.at / "o.json")]
    code, text = office.ran(
        "propose", str(office.action), "--file", str(SHIPPED), *why,
        *office.signs("anna", "finance"), *out,
    )  # fmt: skip
    assert code == 0
    assert 'action.address         "demo-cold-wallet"' in text
    assert "action.coins           100000000 BTT" in text


def test_nobody_signs_without_having_been_asked(office: Office) -> None:
    asked = office.at / "asked.json"
    office.propose("--out", str(asked))
    eva = office.signs("eva", "executive")[:-1]
    out = office.at / "o.json"
    code, text = office.ran("approve", str(asked), *eva, "--out", str(out), "--json")
    assert code == 2
    assert "add --yes" in text
    code, _ = office.ran("approve", str(asked), *eva, "--out", str(out))
    assert code == 1
    assert not out.exists()


def test_a_rejection_ends_it(office: Office) -> None:
    name = office.propose()[1]["name"]
    otto = office.signs("otto", "operations")
    code, answer = office.answer("reject", name, *otto, "--why", "not now", *office.to)
    assert (code, answer["status"]) == (0, "rejected")
    code, answer = office.answer("approve", name, *office.signs("eva", "executive"), *office.to)
    assert (code, answer["why"]) == (1, f"{name} is rejected")


def test_a_price_from_the_facts_makes_the_size_known(office: Office) -> None:
    now = datetime.now(UTC)
    for at, needs in ((now, ["finance", "operations"]), (now - timedelta(hours=1), ["executive"])):
        row = {"asset": "BTT", "price": "0.00000062", "at": at.isoformat()}
        moment = {"at": at.isoformat(), "balances": []}
        facts = office.saved("facts.json", json.dumps(moment | {"prices": [row]}))
        code, answer = office.propose("--facts", str(facts))
        assert (code, answer["needs"]) == (0, needs), "an hour is too old for a price"


def test_a_book_among_the_facts_is_a_price_too(office: Office) -> None:
    at = datetime.now(UTC).isoformat()
    book = {"venue": "loopback", "asset": "BTT", "quote": "USDT", "at": at, "taker_fee_ppm": 1_000,
            "bids": [["0.00000062", "4000000"]], "asks": [["0.00000063", "4000000"]]}  # fmt: skip
    facts = office.saved("facts.json", json.dumps({"at": at, "balances": [], "books": [book]}))
    code, answer = office.propose("--facts", str(facts))
    assert (code, answer["needs"]) == (0, ["finance", "operations"])


def test_a_key_that_others_can_read_is_refused_and_nothing_is_sent(office: Office) -> None:
    (office.at / "anna.key").chmod(0o644)
    code, text = office.propose()
    assert code == 2
    assert "other users can read it; run: chmod 600" in text
    assert office.answer("inbox", "--all", *office.to)[1]["proposals"] == []


def test_a_bad_roster_is_one_line_and_the_one_before_stays_in_force(office: Office) -> None:
    before = office.answer("roster", "show", *office.to)
    good = office.roster.read_text()
    office.roster.write_text(good.replace('"operations"', '"boss"'))
    code, text = office.load()
    assert code == 2
    assert text.splitlines() == [
        f"{office.roster}: people[1].role: invalid enum value 'boss'; it is one of: finance, "
        "operations, executive"
    ]
    assert office.answer("roster", "show", *office.to) == before


def test_a_bad_policy_is_one_line_and_the_one_before_stays_in_force(office: Office) -> None:
    bad = office.saved("bad.toml", SHIPPED.read_text().replace('each_money_max = "50"', "", 1))
    code, text = office.ran("authority", str(bad))
    assert code == 2
    assert text.splitlines() == [
        f"{bad}: authority.rows[3]: each and window bounds go together, in tokens and in money"
    ]
    code, text = office.ran("inbox", "--file", str(bad), *office.to)
    assert code == 2
    why = ["--function", "rebates", "--code", "payout", "--why", "x"]
    code, text = office.ran(
        "propose", str(office.action), "--file", str(bad), *why,
        *office.signs("anna", "finance"), *office.to,
    )  # fmt: skip
    assert code == 2
    assert office.propose()[0] == 0


def test_the_shipped_policy_is_proved(office: Office) -> None:
    code, answer = office.answer("authority", str(SHIPPED))
    assert (code, answer["ok"], len(answer["rows"]), len(answer["overrides"])) == (0, True, 6, 6)


def test_roster_check_says_who_is_missing(office: Office) -> None:
    code, answer = office.answer("roster", "check", str(office.roster), "--file", str(SHIPPED))
    assert code == 1
    assert {one["asker"] for one in answer["short"]} == {"anna", "otto", "eva"}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            {"coins": {"asset": "DOGE", "amount": "1"}},
            "coins.asset: DOGE is none of the assets: BTT, USDT",
        ),
        ({"coins": {"asset": "BTT", "amount": "1e9"}}, "coins.amount: not a plain decimal"),
        ({"coins": {"asset": "BTT", "amount": "0"}}, "coins.atoms: must be more than 0"),
        ({"address": "TXthief"}, "TXthief is no address of cold wallet that the policy names"),
        ({"type": "gift"}, 'type: "gift" is none of them; there are: convert, rebalance, hedge, '),
        ({"extra": 1}, "extra: unknown key"),
        ({"to_place": "moon"}, 'the policy names no address of "moon"; it does of: cold wallet'),
        (
            {"type": "stop", "scope": "galaxy"},
            "scope: invalid enum value 'galaxy'; it is one of: action, venue, asset, all",
        ),
    ],
)
def test_a_bad_action_names_its_file_and_field(
    tmp_path: Path, change: dict[str, Any], fault: str
) -> None:
    path = tmp_path / "action.json"
    table = TRANSFER | change
    if table["type"] == "stop":
        table = {"type": "stop", "name": "x", "scope": table["scope"]}
    path.write_text(json.dumps(table))
    with pytest.raises(UserError) as caught:
        load_action(path, load_authority(SHIPPED))
    assert str(caught.value).startswith(f"{path}: {fault}")


def test_an_override_names_what_may_trigger_it_and_what_it_may_do(tmp_path: Path) -> None:
    path = tmp_path / "action.json"
    table = {"type": "override", "trigger": "flood", "seen_ns": "2026-11-21T12:00:00Z",
             "target": "loopback", "does": {"type": "dance"}}  # fmt: skip
    path.write_text(json.dumps(table))
    with pytest.raises(UserError) as caught:
        load_action(path, load_authority(SHIPPED))
    does, trigger = str(caught.value).splitlines()
    assert does.startswith(f'{path}: does.type: "dance" is none of them; there are: stop, ')
    assert trigger.startswith(f"{path}: trigger: invalid enum value 'flood'; it is one of: exch")
    assert trigger.endswith("sudden impact")


@pytest.mark.parametrize(
    ("flag", "fault"),
    [
        ("--function", '--function: "fun" is none of: creator rewards, rebates, '),
        ("--code", '--code: "fun" is none of: excess, shortfall, payout, '),
    ],
)
def test_a_word_that_the_policy_does_not_know_is_named_with_those_it_does(
    office: Office, flag: str, fault: str
) -> None:
    words = {"--function": "rebates", "--code": "payout", "--why": "x"} | {flag: "fun"}
    code, text = office.ran(
        "propose", str(office.action), "--file", str(SHIPPED),
        *(part for pair in words.items() for part in pair),
        *office.signs("anna", "finance"), *office.to,
    )  # fmt: skip
    assert (code, len(text.splitlines())) == (2, 1)
    assert text.startswith(fault)


def test_an_action_may_name_moments_and_spans(tmp_path: Path) -> None:
    path = tmp_path / "action.json"
    coins = {"asset": "BTT", "amount": "1.5"}
    stake = {"type": "stake", "coins": coins, "platform": "bttc", "address": "0x1"}
    path.write_text(json.dumps(stake | {"notice_ns": "14d"}))
    action = load_action(path, POLICY)
    assert (action.notice_ns, action.coins.atoms) == (14 * 86_400 * 10**9, 150_000_000)
    convert = {"type": "convert", "sell": coins, "least": {"asset": "USDT", "amount": "1"},
               "venues": ["loopback"], "until_ns": "2026-11-21T18:00:00+01:00"}  # fmt: skip
    path.write_text(json.dumps(convert))
    action = load_action(path, load_authority(SHIPPED))
    assert action.until_ns == 1_795_280_400 * 10**9
    path.write_text(json.dumps(convert | {"until_ns": "2026-11-21T18:00:00"}))
    with pytest.raises(UserError, match=r"until_ns: .* has no offset"):
        load_action(path, load_authority(SHIPPED))


def test_what_is_no_signed_word_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "word.json"
    for text in ("", "{}", '{"type":"RosterSet"}', "[" * 5000, '{"type":"Asked"}'):
        path.write_text(text)
        with pytest.raises(UserError, match="not a signed word"):
            load_word(path)


# --- simulate


def line(at: str, tokens: str, **changes: Any) -> str:
    action = {
        "type": "convert", "sell": {"asset": "BTT", "amount": tokens},
        "least": {"asset": "USDT", "amount": "1"}, "venues": ["loopback"],
        "until_ns": "2026-12-01T00:00:00Z",
    }  # fmt: skip
    table = {"at": at, "initiator": "engine", "function": "rebates", "action": action,
             "prices": {"BTT": "0.00000062"}}  # fmt: skip
    return json.dumps(table | changes)


def test_a_month_of_actions_is_told_what_it_would_have_met(office: Office) -> None:
    lines = [line(f"2026-10-{day:02}T12:00:00Z", "60000000") for day in range(1, 31)]
    lines += [line(f"2026-10-01T12:0{n}:00Z", "60000000") for n in range(1, 5)]
    lines.append(line("2026-10-31T12:00:00Z", "500000000"))
    lines.append(line("2026-10-31T13:00:00Z", "1", prices={}))
    lines.append(line("2026-10-31T14:00:00Z", "5000000000", initiator="finance", who="anna"))
    path = office.saved("actions.jsonl", "\n".join(lines) + "\n")
    people = ["--roster", str(office.roster)]
    code, answer = office.answer("simulate", str(path), "--file", str(SHIPPED), *people)
    assert code == 0
    assert answer["actions"] == 37
    assert answer["tiers"] == {
        "automatic": 32, "override": 0, "two people": 3, "executive": 2, "refused": 0,
    }  # fmt: skip
    full = [row["line"] for row in answer["met"] if row["tier"] == "two people"]
    assert full == [34, 2, 35], "four more in one day, what followed within 24 h, and a large one"
    unknown = [row for row in answer["met"] if row["line"] == 36]
    assert [(row["tier"], row["worth"]) for row in unknown] == [("executive", None)]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", ":2: Input data was truncated"),
        (line("2026-10-01T12:00:00", "1"), ":2: at: has no offset"),
        (line("2026-10-01T12:00:00Z", "1", function="lunch"), ':2: function: "lunch" is none'),
        (line("2026-10-01T12:00:00Z", "x"), ":2: sell.amount: not a plain decimal"),
        (line("2026-10-01T12:00:00Z", "1", prices={"DOGE": "1"}), ':2: prices: "DOGE" is none'),
        (line("2026-10-01T12:00:00Z", "1", prices={"BTT": "-1"}), ":2.price: "),
    ],
)
def test_a_bad_line_names_file_and_line(office: Office, text: str, fault: str) -> None:
    path = office.saved("actions.jsonl", line("2026-10-01T12:00:00Z", "1") + "\n" + text + "\n")
    code, told = office.ran("simulate", str(path), "--file", str(SHIPPED))
    assert code == 2
    assert told.startswith(f"{path}{fault}")
    assert len(told.splitlines()) == 1


# --- over the control socket: what an engine's handler needs


def test_a_desk_answers_words_that_came_as_text() -> None:
    made: ActionDesk = desk()
    asked = ANNA.asks(request())
    text = json.dumps({"type": "Asked", "at_ns": 0, "body": "", "signature": ""})
    assert not taken(made.take(word_of(text, "socket")), made)["ok"]
    assert taken(made.take(asked), made)["needs"] == ["finance", "operations"]
    assert taken(made.take(OTTO.answers(asked)), made)["needs"] == ["finance"]
    [one] = inbox(made, NOW, is_all=False)["proposals"]
    assert (one["approved_by"], one["worth"], one["status"]) == (["otto"], "62", "proposed")
    assert Transfer.__struct_config__.tag == "transfer"


async def test_the_same_verbs_speak_with_whoever_runs_the_desk(tmp_path: Path) -> None:
    """A desk behind a control socket, as an engine holds one: files are not touched."""
    at = tmp_path / "engine"
    asked = tmp_path / "asked.json"
    expires_ns = time.time_ns() + 3_600 * 10**9
    word = ANNA.asks(request(at_ns=time.time_ns(), expires_ns=expires_ns))
    save_word(word, asked)
    async with open_driver(at, POLICY, None, time.time_ns) as driver:
        await driver.load([ROSTER])
        talk = DeskTalk(driver)
        async with ControlServer(at / SOCKET_NAME, talk.handle):
            command = [sys.executable, "-m", "engine.cli", "treasury", "inbox", "--json"]
            ran = await asyncio.create_subprocess_exec(
                *command, "--take", str(asked), "--at", str(at), stdout=asyncio.subprocess.PIPE
            )
            output, _ = await ran.communicate()
        assert ran.returncode == 0
        answer = json.loads(output.splitlines()[-1])
        assert answer["taken"][0]["status"] == "proposed"
        assert [one["name"] for one in answer["proposals"]] == ["p1"]
        assert driver.desk.proposals["p1"].status == "proposed"


async def test_a_malformed_word_over_the_socket_is_a_users_mistake(tmp_path: Path) -> None:
    async with open_driver(tmp_path / "t", POLICY, None, time.time_ns) as driver:
        talk = DeskTalk(driver)
        for args in ({"words": "x"}, {"words": [1]}, {"words": ["{}"]}, {"words": ["x"] * 101}, {}):
            with pytest.raises(UserError):
                await talk.handle(VERB, args)
        with pytest.raises(UserError, match="no verb"):
            await talk.handle("status", {})


def test_the_inbox_says_how_far_a_conversion_is_and_what_is_stopped() -> None:
    proposal = {
        "name": "p1", "status": "executing", "tier": "two people", "row": "medium", "worth": "6.2",
        "money": "USDT", "needs": [], "what": "convert 10 BTT", "expires": "tomorrow", "why": "",
        "digest": "e07414789cfc3908" + "0" * 48,
    }  # fmt: skip
    work = {
        "parent": "e07414789cfc3908", "state": "paused", "why": "price gap", "waits": "",
        "done_atoms": 25, "out_atoms": 0, "atoms": 100,
    }  # fmt: skip
    switch = {"scope": "venue", "name": "loopback", "who": "otto", "reason": "outage"}
    widening = {"type": "widen limit", "limit": "turnover", "was": "1", "becomes": "2"}
    lines = inbox_lines({
        "proposals": [proposal], "conversions": [work], "switches": [switch],
        "widenings": [widening], "on_chain": [], "alarms": [],
    })  # fmt: skip
    assert lines[2:] == [
        "  conversion e07414789cfc3908: paused, 25.0 % done; price gap",
        "waits to be proposed (--json has the action): widen turnover",
        "STOPPED: venue loopback, by otto: outage",
    ]


def test_a_word_for_where_no_desk_is_begins_none(tmp_path: Path) -> None:
    """A slip in `--at` left a desk behind that nobody was a member of."""
    save_word(ANNA.asks(request()), tmp_path / "asked.json")
    at = tmp_path / "slip"
    result = CliRunner().invoke(
        app, ["inbox", "--take", str(tmp_path / "asked.json"), "--at", str(at)]
    )
    assert isinstance(result.exception, UserError)
    assert len(str(result.exception).splitlines()) == 1
    assert not at.exists()
