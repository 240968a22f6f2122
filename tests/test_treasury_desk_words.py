"""The policy and the roster that a config names: read at a start, watched, and checked whole."""

from pathlib import Path

import pytest
import tomlkit

from engine.cli.building import desk_words
from engine.runtime.config import load_config
from engine.runtime.desk_watch import DeskWatch
from engine.values.action_records import AuthoritySet, RosterSet
from engine.values.errors import UserError
from tests.action_builders import ANNA, OTTO
from tests.live_world import ROOT, demo_table


class Now:
    """A clock that stands."""

    def now_ns(self) -> int:
        return 7


def roster_text(*signers):
    people = [
        {"name": one.name, "role": one.role.value, "key": one.public, "contact": "", "absent": []}
        for one in signers
    ]
    return tomlkit.dumps({"people": people})


def written(tmp_path: Path, **changes) -> Path:
    """A config with the shipped treasury and a roster of two."""
    (tmp_path / "roster.toml").write_text(roster_text(ANNA, OTTO))
    table = tomlkit.parse((ROOT / "configs" / "treasury.toml").read_text()).unwrap()
    table["files"] = {"obligations": "", "locks": ""}
    for name in changes.pop("without", ()):
        del table[name]
    (tmp_path / "treasury.toml").write_text(tomlkit.dumps(table))
    made = demo_table(tmp_path / "data", tmp_path / "key.json", {})
    made["treasury"] = {
        "file": str(tmp_path / "treasury.toml"), "roster": str(tmp_path / "roster.toml"),
    } | changes  # fmt: skip
    path = tmp_path / "config.toml"
    path.write_text(tomlkit.dumps(made))
    return path


def test_a_config_with_a_roster_tells_the_policy_and_the_people_at_a_start(tmp_path):
    words = desk_words(load_config(written(tmp_path)), 7)
    assert [type(word) for word in words] == [AuthoritySet, RosterSet]
    assert {word.at_ns for word in words} == {7}
    assert [person.name for person in words[1].people] == ["anna", "otto"]


def test_without_a_roster_the_treasury_has_no_desk(tmp_path):
    assert desk_words(load_config(written(tmp_path, roster="")), 7) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"without": ["authority"]}, "treasury.toml: authority: missing"),
        ({"function": "gifts"}, 'treasury.function: "gifts" is none of'),
        ({"code": "fun"}, 'treasury.code: "fun" is none of'),
    ],
)
def test_what_does_not_fit_the_policy_is_said_in_one_line(tmp_path, changes, fault):
    with pytest.raises(UserError) as caught:
        load_config(written(tmp_path, **changes))
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_roster_with_a_mistake_stops_the_start_with_its_file_and_place(tmp_path):
    path = written(tmp_path)
    (tmp_path / "roster.toml").write_text(roster_text(ANNA, ANNA))
    with pytest.raises(UserError, match=r"roster\.toml: people\[1\]\.name"):
        load_config(path)


def test_a_changed_roster_is_told_once_and_one_with_a_mistake_changes_nothing(tmp_path):
    config, told = load_config(written(tmp_path)), []
    watch = DeskWatch(config.treasury, config.treasury_texts, Now(), told.append)
    assert watch.read() == []
    roster = tmp_path / "roster.toml"
    roster.write_text("people = 1\n")
    assert watch.read() == watch.read() == []
    assert len(told) == 1
    assert "roster.toml: people" in told[0]
    roster.write_text(roster_text(ANNA))
    (word,) = watch.read()
    assert (word.at_ns, [person.name for person in word.people]) == (7, ["anna"])
    assert watch.read() == []
