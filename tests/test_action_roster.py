"""Fewer live approvers than a tier needs is an alarm, and it is told before it matters."""

import os
from pathlib import Path

import msgspec
import pytest

from engine.runtime.authority_file import load_roster
from engine.runtime.signing import Signer as KeyFile
from engine.runtime.signing import make_key, verify
from engine.treasury.dates import NS_PER_DAY
from engine.treasury.roster import SMALL_ORDER, Roster, problems
from engine.values.errors import UserError
from tests.action_builders import ANNA, EVA, EVERYBODY, FAY, NOW, OLGA, OTTO, POLICY, desk

ALL = [signer.person() for signer in EVERYBODY]


def short(roster: Roster, at_ns: int = NOW) -> list[str]:
    return [repr(one) for one in roster.shortfalls(POLICY, at_ns)]


def test_enough_people_are_no_alarm() -> None:
    two_executives = [*ALL, msgspec.structs.replace(EVA.person(), name="ed", key="11" * 32)]
    assert short(Roster(two_executives)) == []


def test_one_executive_who_asks_cannot_approve() -> None:
    assert short(Roster(ALL)) == ["executive: nobody of executive can sign when eva asks"]


def test_a_role_without_anybody_is_worst_whoever_asks() -> None:
    found = short(Roster([ANNA.person(), EVA.person()]))
    assert "two people: nobody of operations can sign" in found


def test_the_last_of_a_role_cannot_ask() -> None:
    found = short(Roster([ANNA.person(), FAY.person(), OTTO.person(), EVA.person()]))
    assert "two people: nobody of operations can sign when otto asks" in found


def test_an_override_that_nobody_may_allow_is_told() -> None:
    found = short(Roster([ANNA.person(), FAY.person()]))
    assert "override: depeg: nobody of executive or operations can sign" in found
    assert not any("exchange outage" in text for text in found), "whoever asks acts alone there"


def test_an_absence_that_will_matter_is_shown_ahead() -> None:
    leaves_ns = NOW + 2 * NS_PER_DAY
    people = [
        ANNA.person(), FAY.person(), OLGA.person((leaves_ns, leaves_ns + NS_PER_DAY)),
        OTTO.person((NOW - 1, NOW + 4 * NS_PER_DAY)), EVA.person(),
    ]  # fmt: skip
    found = Roster(people).shortfalls_ahead(POLICY, NOW, NOW + 7 * NS_PER_DAY)
    [one] = [item for item in found if item.need == "two people" and not item.asker]
    assert (one.at_ns, one.roles) == (leaves_ns, ("operations",))
    told = [a.text for a in desk(*people).tick(NOW).alerts]
    assert any(text.startswith("two people: nobody of operations can sign, from ") for text in told)


def test_an_absence_holds_from_its_first_moment_up_to_its_last() -> None:
    away = Roster([OTTO.person((NOW, NOW + 10))])
    assert [bool(away.live(at_ns)) for at_ns in (NOW - 1, NOW, NOW + 9, NOW + 10)] == [
        True, False, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"name": "Anna"}, "people[1].name: small letters"),
        ({"name": "engine"}, "people[1].name: small letters"),
        ({"name": "anna"}, 'people[1].name: "anna" is there twice'),
        ({"key": ANNA.public}, 'people[1].key: is also the key of "anna"; nobody signs as two'),
        ({"key": "zz"}, "people[1].key: expected an Ed25519 public key"),
    ],
)
def test_a_roster_that_makes_no_sense_is_named_by_its_path(
    changes: dict[str, str], fault: str
) -> None:
    people = [ANNA.person(), msgspec.structs.replace(OTTO.person(), **changes)]
    assert next(problems(people)).startswith(fault)


@pytest.mark.parametrize("key", sorted(SMALL_ORDER))
def test_a_key_that_nobody_owns_is_refused_with_and_without_its_sign(key: str) -> None:
    for text in (key, f"{key[:62]}{int(key[62:], 16) | 0x80:02x}"):
        people = [msgspec.structs.replace(OTTO.person(), key=text)]
        assert list(problems(people)) == [
            "people[0].key: expected an Ed25519 public key in 64 small hex digits"
        ]


# --- files

ROSTER_FILE = """
[[people]]
name = "anna"
role = "finance"
key = "{key}"
contact = "+41"
absent = [{{ from = 2026-12-20, until = 2027-01-03 }}]
"""


def saved(directory: Path, text: str) -> Path:
    path = directory / "roster.toml"
    path.write_text(text)
    return path


def test_a_roster_file_is_read_with_its_days_in_utc(tmp_path: Path) -> None:
    [anna] = load_roster(saved(tmp_path, ROSTER_FILE.format(key=ANNA.public)))
    [away] = anna.absences
    assert away.from_ns == 1_797_724_800 * 10**9, "2026-12-20 00:00 UTC"
    assert away.until_ns == 1_798_934_400 * 10**9, "2027-01-03 00:00 UTC"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (('"finance"', '"boss"'), "people[0].role: invalid enum value 'boss'"),
        (("name =", "nmae ="), 'people[0].nmae: unknown key; did you mean "name"?'),
        (("2026-12-20", "2028-12-20"), "people[0].absent[0]: ends before it begins"),
        (("2026-12-20", '"soon"'), "people[0].absent[0].from: "),
        (("[[people]]", "[[people"), "not TOML: "),
        (('contact = "+41"', ""), "people[0].contact: missing"),
    ],
)
def test_a_malformed_roster_is_one_line_with_file_and_place(
    tmp_path: Path, change: tuple[str, str], fault: str
) -> None:
    path = saved(tmp_path, ROSTER_FILE.format(key=ANNA.public).replace(*change))
    with pytest.raises(UserError) as caught:
        load_roster(path)
    lines = str(caught.value).splitlines()
    assert f"{path}: {fault}" in "\n".join(lines)
    assert all(line.startswith(f"{path}: ") for line in lines)


def test_a_key_file_is_private_from_the_start_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "anna.key"
    public = make_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    signer = KeyFile(path)
    assert signer.public == public
    assert verify(public, signer.sign(b"x"), b"x")
    assert not verify(public, signer.sign(b"x"), b"y")
    with pytest.raises(UserError, match="never overwritten"):
        make_key(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "anna.key"
    make_key(path)
    path.chmod(mode)
    with pytest.raises(UserError, match="other users can read it; run: chmod 600"):
        KeyFile(path)


def test_a_key_is_never_in_what_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "anna.key"
    make_key(path)
    secret = path.read_text().splitlines()[1]
    assert secret not in repr(KeyFile(path))
    path.write_text("-----BEGIN PRIVATE KEY-----\nabc" + secret + "\n-----END PRIVATE KEY-----\n")
    with pytest.raises(UserError) as caught:
        KeyFile(path)
    assert secret not in str(caught.value)
    assert caught.value.__cause__ is None


def test_what_is_no_file_or_no_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        KeyFile(tmp_path)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(UserError, match="is not a file"):
        KeyFile(tmp_path / "pipe")
    with pytest.raises(UserError, match="cannot be read"):
        KeyFile(tmp_path / "nothing")
    empty = tmp_path / "empty"
    empty.touch(0o600)
    os.chmod(empty, 0o600)
    with pytest.raises(UserError, match="expected an Ed25519 private key"):
        KeyFile(empty)
