"""One exchange of ccxt.pro is imported without the other hundred."""

import subprocess
import sys

import pytest

from adapters.ccxt_pro.loading import exchange_class
from engine.values.errors import UserError

ONE_EXCHANGE = """
import sys
from adapters.ccxt_pro.loading import error_class, exchange_class
made = exchange_class("{0}")
unwanted = {{"ccxt", "ccxt.bybit", "ccxt.async_support.bybit"}}
others = unwanted & set(sys.modules)
assert not others, others
import ccxt.pro
assert ccxt.pro.{0} is made
assert issubclass(ccxt.InvalidOrder, error_class())
assert made({{}}).id == "{0}"
"""


@pytest.mark.parametrize("exchange", ["binance", "binanceus", "kraken", "okx"])
def test_one_exchange_comes_alone_and_leaves_ccxt_whole(exchange: str) -> None:
    code = ONE_EXCHANGE.format(exchange)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_adapter_itself_does_not_import_ccxt() -> None:
    code = "import sys, adapters.ccxt_pro.venue; sys.exit('ccxt.base.exchange' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("exchange", ["nosuch", "../binance", ""])
def test_an_unknown_exchange_is_named(exchange: str) -> None:
    with pytest.raises(UserError, match="no exchange called"):
        exchange_class(exchange)
