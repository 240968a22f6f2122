"""The kernels' interpreted form, also where they are installed compiled: for tests and benchmarks.

What pyproject.toml builds is the list. `force_interpreted` is for a whole process, before anything
of the engine is imported; `interpreted` loads a second copy of each kernel beside the first.
"""

import importlib
import sys
import tomllib
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent


def kernels() -> list[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return [each["name"] for each in settings["tool"]["setuptools"]["ext-modules"]]


def source_of(kernel: str) -> Path:
    return ROOT / (kernel.replace(".", "/") + ".py")


def is_compiled(kernel: str) -> bool:
    return not str(importlib.import_module(kernel).__file__).endswith(".py")


def are_compiled() -> bool:
    return all(is_compiled(kernel) for kernel in kernels())


class _SourcesFirst:
    """Finds the kernels' sources where the import system would take the compiled form."""

    def __init__(self) -> None:
        self._kernels = set(kernels())

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in self._kernels:
            return None
        source = source_of(name)
        return spec_from_file_location(name, source, loader=SourceFileLoader(name, str(source)))


def force_interpreted() -> None:
    """From here on this process imports sources only. Raises RuntimeError where it is too late."""
    late = [kernel for kernel in kernels() if kernel in sys.modules]
    if late:
        raise RuntimeError(f"imported already: {late}")
    sys.meta_path.insert(0, _SourcesFirst())  # type: ignore[arg-type]


def interpreted() -> dict[str, ModuleType]:
    """Each kernel from its source, by name, and seeing each other so; the first copies stay."""
    kept = {name: importlib.import_module(name) for name in kernels()}
    for name in kept:
        del sys.modules[name]
    finder = _SourcesFirst()
    sys.meta_path.insert(0, finder)  # type: ignore[arg-type]
    try:
        return {name: importlib.import_module(name) for name in kept}
    finally:
        sys.meta_path.remove(finder)  # type: ignore[arg-type]
        for name, module in kept.items():
            sys.modules[name] = module
            parent, _, child = name.rpartition(".")
            setattr(sys.modules[parent], child, module)
