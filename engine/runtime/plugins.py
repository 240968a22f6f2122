"""Finds a strategy by name, module or file, and makes it with its typed params."""

import hashlib
import importlib
import inspect
import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from engine.trading.strategy import Strategy, Wake
from engine.values.errors import UserError
from engine.values.table_check import problems

GROUP = "ballast.strategies"
FILE_BYTES_MAX = 1_000_000
AUTHOR_ERRORS = (
    ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, NameError, OSError,
    RuntimeError, SyntaxError, TypeError, ValueError,
)  # fmt: skip
"""What somebody else's code can raise while it is loaded or made."""


class LoadedStrategy(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy ready to quote, and what code it is: the hash goes into the journal."""

    spec: str
    name: str
    strategy: Strategy
    params: msgspec.Struct
    file: str
    file_hash: str

    def __repr__(self) -> str:
        return f"<strategy {self.name} {self.file_hash[:12]} {self.params!r}>"


def load_strategy(spec: str, params: dict[str, Any], path: str) -> LoadedStrategy:
    """Make the strategy that `spec` names.

    `spec` is a name of the entry point group `ballast.strategies`, `module:Class` or
    `path/to/file.py:Class`. `path` is the market's place in the config, for the errors. Raises
    UserError, one line for each mistake.
    """
    at = f"{path}.strategy"
    maker, file, content = _found(spec, at)
    wanted = _params_type(maker, spec, at)
    if found := problems(params, wanted, f"{path}.params"):
        raise UserError("\n".join(found))
    made = msgspec.convert(params, wanted)
    try:
        strategy = maker(made)
    except AUTHOR_ERRORS as error:
        raise UserError(f"{path}.params: {spec} refuses them: {_line(error)}") from error
    if not callable(getattr(strategy, "quote", None)):
        raise UserError(f"{at}: {spec} has no method quote(view)")
    if not isinstance(getattr(strategy, "wake", None), Wake):
        raise UserError(f"{at}: {spec} has no attribute wake of type Wake")
    return LoadedStrategy(
        spec=spec,
        name=maker.__name__,
        strategy=strategy,
        params=made,
        file=file,
        file_hash=hashlib.sha256(content).hexdigest(),
    )


def load_class(spec: str, at: str) -> tuple[type[Any], str]:
    """The class that `module:Class` or `path/to/file.py:Class` names, and its file's SHA-256.

    Raises UserError, which begins with `at`.
    """
    maker, _, content = _found(spec, at)
    return maker, hashlib.sha256(content).hexdigest()


def strategy_names() -> list[str]:
    """Names that installed packages offer."""
    return sorted(point.name for point in entry_points(group=GROUP))


def _found(spec: str, at: str) -> tuple[type[Any], str, bytes]:
    if ":" not in spec:
        spec = _from_entry_point(spec, at)
    where, _, class_name = spec.rpartition(":")
    try:
        module, file, content = _from_file(where) if where.endswith(".py") else _imported(where)
    except AUTHOR_ERRORS as error:
        raise UserError(f"{at}: {where} cannot be loaded: {_line(error)}") from error
    maker = getattr(module, class_name, None)
    if not isinstance(maker, type):
        raise UserError(f'{at}: {where} has no class "{class_name}"')
    return maker, file, content


def _from_entry_point(name: str, at: str) -> str:
    points = entry_points(group=GROUP, name=name)
    if not points:
        known = ", ".join(strategy_names()) or "none"
        raise UserError(f'{at}: no strategy is called "{name}"; installed: {known}')
    return next(iter(points)).value


def _imported(name: str) -> tuple[ModuleType, str, bytes]:
    module = importlib.import_module(name)
    file = inspect.getsourcefile(module) or ""
    return module, file, Path(file).read_bytes() if file else b""


def _from_file(name: str) -> tuple[ModuleType, str, bytes]:
    """Run the very bytes that are hashed: no second read, no stale compiled file."""
    path = Path(name).expanduser()
    content = path.read_bytes()
    if len(content) > FILE_BYTES_MAX:
        raise ValueError(f"larger than {FILE_BYTES_MAX} bytes")
    module = ModuleType(f"ballast_plugin_{hashlib.sha256(content).hexdigest()[:16]}")
    module.__file__ = str(path)
    code = compile(content, str(path), "exec")
    sys.modules[module.__name__] = module  # msgspec resolves the author's annotations through it
    exec(code, module.__dict__)  # noqa: S102 (an author's file is code; it is hashed and named)
    return module, str(path), content


def _params_type(maker: type[Any], spec: str, at: str) -> type[msgspec.Struct]:
    wanted = getattr(maker, "Params", None)
    if not (isinstance(wanted, type) and issubclass(wanted, msgspec.Struct)):
        raise UserError(f"{at}: {spec} has no attribute Params that is a msgspec Struct")
    return wanted


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
