"""Imports one exchange class of ccxt.pro without importing all hundred.

`import ccxt.pro` runs three package files that import every exchange: half a second and 80 MB.
The class that we want needs only its own module and ccxt's base. So while it loads, empty packages
with the same paths stand in for those three; they hand out an exchange the moment that it is named.
They are removed again afterwards, so that whoever imports ccxt later gets the real thing, with the
same classes.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from engine.values.errors import UserError

_PACKAGES = ("ccxt", "ccxt.async_support", "ccxt.pro")


def exchange_class(exchange: str) -> Any:
    """The ccxt.pro class of that id. Raises UserError where ccxt has none."""
    root = _package_root()
    if not exchange.isidentifier() or not (root / "pro" / f"{exchange}.py").is_file():
        raise UserError(f"ccxt.pro has no exchange called {exchange!r}")
    if "ccxt" in sys.modules:
        return getattr(importlib.import_module(f"ccxt.pro.{exchange}"), exchange)
    _stand_in(root)
    try:
        return getattr(importlib.import_module(f"ccxt.pro.{exchange}"), exchange)
    finally:
        for name in _PACKAGES:
            sys.modules.pop(name, None)


def error_class() -> type[Exception]:
    """The class that every exception of ccxt inherits from; only after `exchange_class`."""
    base: type[Exception] = sys.modules["ccxt.base.errors"].BaseError
    return base


class _Package(ModuleType):
    """A package whose children are exchanges: it shows their classes, as the real one does."""

    def __setattr__(self, name: str, value: object) -> None:
        is_exchange = isinstance(value, ModuleType) and name in vars(value)
        super().__setattr__(name, vars(value)[name] if is_exchange else value)

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)
        importlib.import_module(f"{self.__name__}.{name}")
        return self.__dict__[name]


def _stand_in(root: Path) -> None:
    for name in _PACKAGES:
        package = _Package(name)
        package.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = package
    top = sys.modules["ccxt"]
    errors = importlib.import_module("ccxt.base.errors")
    for name in errors.__all__:
        setattr(top, name, getattr(errors, name))
    setattr(top, "Exchange", importlib.import_module("ccxt.base.exchange").Exchange)  # noqa: B010
    for name in _PACKAGES[1:]:
        setattr(top, name.rpartition(".")[2], sys.modules[name])


def _package_root() -> Path:
    spec = importlib.util.find_spec("ccxt")
    if spec is None or spec.origin is None:
        raise UserError("ccxt is not installed")
    return Path(spec.origin).parent
