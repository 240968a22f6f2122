"""A config is right as a whole, or every mistake in it is named by its path (C01)."""

import base64
import contextlib
import secrets as random_secrets
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.runtime.config import (
    Config,
    bands_of,
    config_hash,
    load_config,
    parse_config,
    require_consent,
    with_urls,
)
from engine.trading.risk import MANDATORY, Check
from engine.values.errors import UserError
from engine.values.instrument import Instrument

ROOT = Path(__file__).resolve().parent.parent
ALWAYS_ZERO = {Check.SELF_CROSS, Check.BOOK_VALID}

URLS = {
    name: f"http://127.0.0.1:8000/{name}"
    for name in ("public", "private", "ws.spot", "ws.ws-api.spot")
}


def row(check: Check, **changes: Any) -> dict[str, Any]:
    threshold = 0.0 if check in ALWAYS_ZERO else 1.0
    table = {
        "check": check.value,
        "threshold": threshold,
        "release": threshold,
        "cool_down_s": 1.0,
        "window_s": 10.0,
        "action": "pull market",
    }
    return {**table, **changes}


def table() -> dict[str, Any]:
    return {
        "mode": "paper",
        "name": "test",
        "data_dir": "var/test",
        "venues": [
            {"name": "loop", "adapter": "ccxt", "exchange": "binance", "key": "demo",
             "urls": dict(URLS)},
        ],
        "markets": [
            {"symbol": "BTT/USDT", "venue": "loop", "strategy": "ladder",
             "params": {"levels": 3},
             "bands": {"floor": "0", "lower": "10", "target": "20", "upper": "30", "cap": "40"},
             "rating": {"label": "buy", "ttl_s": 60},
             "risk": [row(check) for check in sorted(MANDATORY)]},
        ],
    }  # fmt: skip


def parsed(content: dict[str, Any]) -> Config:
    return parse_config(tomlkit.dumps(content), "c.toml")


def mistakes(content: dict[str, Any]) -> list[str]:
    with pytest.raises(UserError) as caught:
        parsed(content)
    lines = str(caught.value).splitlines()
    assert all(line.startswith("c.toml: ") for line in lines)
    return [line.removeprefix("c.toml: ") for line in lines]


def changed(path: str, value: Any) -> dict[str, Any]:
    """The good config with one place set, or removed where `value` is None."""
    content = table()
    *before, last = path.replace("]", "").replace("[", ".").split(".")
    place: Any = content
    for step in before:
        place = place[int(step) if step.isdigit() else step]
    key = int(last) if last.isdigit() else last
    if value is None:
        del place[key]
    else:
        place[key] = value
    return content


def test_a_good_config_is_read() -> None:
    config = parsed(table())
    assert config.markets[0].market == "BTT/USDT@loop"
    assert config.venue("loop").is_loopback
    assert str(config.journal_path) == "var/test/journal.db"


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        ("moed", "paper", "moed: unknown key; did you mean"),
        ("mode", None, "mode: missing"),
        ("mode", "lvie", "mode: invalid enum value 'lvie'; it is one of: demo, paper, live"),
        ("name", "a b", "name: letters, digits"),
        ("data_dir", " ", "data_dir: must name a directory"),
        ("venues", [], "venues: at least one is needed"),
        ("markets", {}, "markets: expected array, got object"),
        ("journal", {"linger": 5}, "journal.linger: unknown key; did you mean"),
        ("journal", {"durability": "none"}, "journal.durability: invalid enum value"),
        ("runtime", {"timer_ms": 0}, "runtime: timer_ms must be"),
        ("runtime", {"timer_ms": 1.5}, "runtime.timer_ms: expected int, got float"),
        ("venues[0].adapter", "pigeon", "venues[0].adapter: invalid enum value 'pigeon'"),
        ("venues[0].name", "a/b", "venues[0].name: letters, digits"),
        ("venues[0].urls.public", "http://127.0.0.1@evil.example/", "venues[0].urls.public: only"),
        ("venues[0].urls.public", "http://127.0.0.1.evil.example", "venues[0].urls.public: only"),
        ("venues[0].urls.public", "https://api.example", "venues[0].urls.public: only 127.0.0.1"),
        ("venues[0].urls.public", "http://[", "venues[0].urls.public: only 127.0.0.1"),
        ("venues[0].urls", {}, "venues[0]: paper trading needs sandbox = true or urls"),
        ("markets[0].symbol", "btt_usdt", "markets[0].symbol: expected a symbol"),
        ("markets[0].venue", "nowhere", "markets[0].venue: there is no [[venues]]"),
        ("markets[0].strategy", None, "markets[0].strategy: missing"),
        ("markets[0].bands", None, "markets[0].bands: missing"),
        ("markets[0].bands.cap", None, "markets[0].bands.cap: missing"),
        ("markets[0].bands.cap", 40, "markets[0].bands.cap: expected str, got int"),
        ("markets[0].bands.cap", "1e9", "markets[0].bands: not a plain decimal: '1e9'"),
        ("markets[0].bands.cap", "25", "markets[0].bands: bands must rise"),
        ("markets[0].rating.label", "hodl", "markets[0].rating.label: invalid enum value"),
        ("markets[0].rating.ttl_s", 0, "markets[0].rating: ttl_s must be more than 0"),
        ("markets[0].rating.ttl_s", None, "markets[0].rating.ttl_s: missing"),
    ],
)
def test_c01_each_mistake_is_named_by_its_path(path: str, value: Any, line: str) -> None:
    found = mistakes(changed(path, value))
    assert any(each.startswith(line) for each in found), found


@pytest.mark.parametrize("check", sorted(MANDATORY))
def test_c01_a_missing_limit_is_named(check: Check) -> None:
    content = table()
    rows = content["markets"][0]["risk"]
    content["markets"][0]["risk"] = [each for each in rows if each["check"] != check]
    assert mistakes(content) == [f"markets[0].risk: no row for {check}"]


@pytest.mark.parametrize(
    ("field", "value", "line"),
    [
        ("threshold", "1", "markets[0].risk.loss.threshold: expected float, got str"),
        ("threshold", -1.0, "markets[0].risk.loss: loss: numbers must be finite and not negative"),
        ("threshold", float("nan"), "markets[0].risk.loss: loss: numbers must be finite"),
        ("threshold", float("inf"), "markets[0].risk.loss: loss: numbers must be finite"),
        ("thresh", 1.0, "markets[0].risk.loss.thresh: unknown key"),
        ("action", "panic", "markets[0].risk.loss.action: invalid enum value 'panic'; it is one"),
        ("release", 2.0, "markets[0].risk.loss: loss: release must lie on the calm side"),
    ],
)
def test_c01_a_wrong_limit_is_named_by_its_check(field: str, value: Any, line: str) -> None:
    content = table()
    rows = content["markets"][0]["risk"]
    rows[[each["check"] for each in rows].index("loss")][field] = value
    assert mistakes(content)[0].startswith(line)


def test_c01_every_mistake_is_reported_not_only_the_first() -> None:
    content = changed("name", None)
    content["markets"][0]["bands"]["cap"] = 3
    content["extra"] = 1
    assert len(mistakes(content)) == 3


def test_a_venue_or_market_that_is_there_twice_is_named() -> None:
    content = table()
    content["venues"] *= 2
    content["markets"] *= 2
    found = mistakes(content)
    assert 'venues[1]: "loop" is there twice' in found
    assert 'markets[1]: "BTT/USDT@loop" is there twice' in found


def test_a_toml_mistake_names_its_line() -> None:
    with pytest.raises(UserError, match=r"c\.toml: not TOML: .*line 2"):
        parse_config('mode = "paper"\nname = \n', "c.toml")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * 1_000_001, b"a = " + b"[" * 5_000])
def test_a_hostile_file_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c.toml").write_bytes(content)
    with pytest.raises(UserError) as caught:
        load_config(tmp_path / "c.toml")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        load_config(tmp_path / "c.toml")


@pytest.mark.parametrize("name", ["secret", "api_key", "apiKey", "password", "private_key"])
def test_a01_a_key_in_the_config_is_refused_whatever_it_holds(name: str) -> None:
    found = mistakes(changed(f"venues[0].{name}", "x"))
    assert found[0].startswith(f"venues[0].{name}: this looks like a key or a secret")
    found = mistakes(changed(f"markets[0].params.{name}", "x"))
    assert found[0].startswith(f"markets[0].params.{name}: this looks like a key or a secret")


@pytest.mark.parametrize("form", ["hex", "base64", "url", "uuid-like", "pem"])
@pytest.mark.parametrize("place", ["venues[0].key", "markets[0].strategy", "name", "data_dir"])
def test_a01_a_secret_anywhere_is_refused_and_not_quoted(form: str, place: str) -> None:
    raw = random_secrets.token_bytes(32)
    hexed = raw.hex()
    canary = {
        "hex": hexed,
        "base64": base64.b64encode(raw).decode(),
        "url": random_secrets.token_urlsafe(48),
        "uuid-like": "-".join((hexed[:8], hexed[8:12], "4a1b", "9c2d", hexed[12:24])),
        "pem": "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----",
    }[form]
    found = mistakes(changed(place, canary))
    assert found[0].startswith(f"{place}: this looks like a key or a secret")
    assert canary not in "\n".join(found)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("data_dir", "/srv/tests-of-somebody/tests-12345/test_the_engine_survives_being_k0/data"),
        ("markets[0].strategy", "strategies/avellaneda_stoikov_2024_variant.py:AvellanedaStoikov"),
        ("markets[0].params", {"note": "Quotes wider at night, since 2024 there are few makers."}),
        ("venues[0].key_file", "~/.config/ballast/binance-market-maker-number-01.key"),
    ],
)
def test_an_ordinary_text_is_not_taken_for_a_secret(place: str, value: Any) -> None:
    parsed(changed(place, value))


def test_real_money_needs_two_words() -> None:
    paper, live = parsed(table()), parsed(changed("mode", "live"))
    require_consent(paper, is_live_flag=False)
    require_consent(live, is_live_flag=True)
    with pytest.raises(UserError, match="--live"):
        require_consent(live, is_live_flag=False)
    with pytest.raises(UserError, match='says "paper"'):
        require_consent(paper, is_live_flag=True)


def test_live_needs_the_name_of_a_key() -> None:
    content = changed("venues[0].key", None)
    content["mode"] = "live"
    assert mistakes(content) == ["venues[0].key: missing; live trading needs the name of a key"]


def test_the_demo_may_set_urls_but_only_to_this_host() -> None:
    content = changed("mode", "demo")
    content["venues"][0]["urls"] = {}
    alone = parsed(content)
    with pytest.raises(UserError, match="`ballast demo`"):
        require_consent(alone, is_live_flag=False)
    config = with_urls(alone, "loop", URLS)
    assert config.venue("loop").is_loopback
    require_consent(config, is_live_flag=False)
    with pytest.raises(UserError, match=r"only 127\.0\.0\.1"):
        with_urls(config, "loop", {**URLS, "public": "https://api.example/api"})


@pytest.mark.parametrize("name", sorted(URLS))
def test_half_a_detour_to_this_host_is_refused(name: str) -> None:
    content = table()
    del content["venues"][0]["urls"][name]
    assert mistakes(content) == [
        f"venues[0].urls.{name}: missing; without it this goes to the real venue"
    ]


def test_the_hash_ignores_spelling_and_sees_every_value() -> None:
    text = tomlkit.dumps(table())
    one = config_hash(parse_config(text, "a"))
    assert one == config_hash(parse_config("# a comment\n" + text, "b"))
    assert one != config_hash(parsed(changed("markets[0].bands.cap", "41")))
    assert one != config_hash(parsed(changed("markets[0].params.levels", 4)))


def test_bands_become_lots_and_name_what_is_off_the_grid() -> None:
    instrument = Instrument(
        symbol="BTT/USDT", venue="loop", venue_symbol="BTTUSDT", base="BTT", quote="USDT",
        price_exponent=8, tick=1, size_exponent=0, lot=10, maker_fee_ppm=1000, taker_fee_ppm=1000,
    )  # fmt: skip
    market = parsed(table()).markets[0]
    assert bands_of(market, instrument).cap_lots == 4
    off = parsed(changed("markets[0].bands.cap", "45")).markets[0]
    with pytest.raises(UserError, match=r"BTT/USDT@loop\.bands\.cap: 45 is off the lot grid"):
        bands_of(off, instrument)


LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=5)
JUNK = st.recursive(
    LEAVES, lambda s: st.lists(s, max_size=3) | st.dictionaries(st.text(max_size=5), s, max_size=3)
)
PLACES = [
    "mode", "name", "data_dir", "venues", "venues[0]", "venues[0].urls", "venues[0].options",
    "markets", "markets[0]", "markets[0].params", "markets[0].bands", "markets[0].rating",
    "markets[0].risk", "markets[0].risk[0]", "markets[0].risk[0].threshold", "journal", "runtime",
]  # fmt: skip


@settings(deadline=None)
@given(place=st.sampled_from(PLACES), value=JUNK.filter(lambda value: value is not None))
def test_c01_anything_anywhere_is_read_or_refused_never_a_crash(place: str, value: Any) -> None:
    try:
        text = tomlkit.dumps(changed(place, value))
    except (ValueError, TypeError, tomlkit.exceptions.TOMLKitError):
        return  # TOML itself cannot say this
    with contextlib.suppress(UserError):
        assert len(config_hash(parse_config(text, "c.toml"))) == 64


SHIPPED = [p for p in sorted((ROOT / "configs").glob("*.toml")) if "[[markets]]" in p.read_text()]
"""Playbooks and treasuries lie there, too, and have tests of their own."""


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.name)
def test_every_config_that_we_ship_is_right(path: Path) -> None:
    assert load_config(path).markets


@pytest.mark.parametrize(
    ("field", "value", "line"),
    [
        ("broad", "BTC/USDT@sim", '.broad: "BTC/USDT@sim" is none of'),
        ("others", ["BTC/USDT@sim"], '.others[0]: "BTC/USDT@sim" is no other of'),
        ("hedge", [{"kind": "beta", "market": "X/Y@sim"}], '.hedge[0].market: "X/Y@sim" is none'),
        ("hedge", [{"kind": "hope", "market": "X/Y@sim"}], ".hedge[0].kind: "),
        ("technical", {"timeframes": ["1m"], "policy": "1h"}, ".technical"),
    ],
)
def test_what_a_market_says_of_others_must_be_there(field: str, value: Any, line: str) -> None:
    content = table()
    content["markets"][0][field] = value
    assert any(f"markets[0]{line}" in found for found in mistakes(content))


def test_a_market_may_look_at_one_that_is_only_watched() -> None:
    content = table()
    venue = content["markets"][0]["venue"]
    content["watched"] = [{"symbol": "BTC/USDT", "venue": venue}]
    content["markets"][0]["broad"] = f"BTC/USDT@{venue}"
    assert parsed(content).watched[0].market == f"BTC/USDT@{venue}"
    content["watched"].append({"symbol": content["markets"][0]["symbol"], "venue": venue})
    assert mistakes(content) == ["watched: a market that is quoted or watched already"]


def test_a_hedge_without_a_playbook_is_refused() -> None:
    content = table()
    market = f"{content['markets'][0]['symbol']}@{content['markets'][0]['venue']}"
    content["markets"][0]["hedge"] = [{"kind": "conversion", "market": market}]
    assert mistakes(content) == ["markets[0].hedge: needs a playbook, whose [hedge] says when"]
