"""A `[hedge]` table that makes no sense says which of its numbers is wrong."""

import msgspec
import pytest

from engine.trading.hedge_params import HedgeInstrument, HedgeKind, HedgeParams, money
from tests.hedge_builders import hedge_params, stage


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stage_2", stage(0.2, 0.1, 0.6)),
        ("stage_3", stage(0.75, 0.5, 0.5)),
        ("buy_cover", 0.0),
        ("buy_over_threshold", 0.2),
        ("more_sooner", 1.1),
        ("more_larger", 0.9),
        ("change_min", 1.0),
        ("day_cost_max", "0"),
        ("child_value", "-1"),
        ("let_go_reserve", 1.0),
        ("slippage_bps_max", 0.0),
        ("trend_sigmas_min", 0.0),
        ("ratio_confidence_min", float("nan")),
        ("answer_s_max", 0.0),
        ("urgent_every_s", 6.0),
        ("residual_bps", -1.0),
        ("liquidation_distance_min", 1.0),
    ],
)
def test_a_number_that_makes_no_sense_is_named(name, value):
    with pytest.raises(ValueError, match=name):
        hedge_params(**{name: value})


def test_a_stage_that_ends_where_it_begins_is_refused():
    with pytest.raises(ValueError, match="release < threshold"):
        stage(0.5, 0.5, 0.5)


def test_no_number_of_the_table_has_a_default():
    fields = msgspec.structs.fields(HedgeParams)
    assert all(field.required for field in fields)


def test_money_is_exact_and_never_a_float():
    assert money("0.1") * 3 == money("0.3")
    with pytest.raises(ValueError, match="plain decimal"):
        money("1e3")


def test_an_instrument_is_read_from_two_words():
    row = {"kind": "beta", "market": "BTC/USDT@loopback"}
    assert msgspec.convert(row, HedgeInstrument).kind is HedgeKind.BETA
