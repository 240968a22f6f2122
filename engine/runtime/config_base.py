"""A config that stands on another: `base = FILE`, and below it only what differs.

The base is a whole config of its own and stands on none. A table of the file is laid over that of
the base key by key; anything else, a list too, replaces it whole. Hash and recording are of what
comes out, so that nothing depends on how it was written.
"""

from pathlib import Path
from typing import Any

from engine.runtime.person_file import read_text
from engine.values.errors import UserError
from engine.values.table_check import toml_table

KEY = "base"


def whole_table(path: Path) -> tuple[dict[str, Any], Path | None]:
    """What a config file comes to, and its base. Raises UserError naming the file at fault."""
    table = toml_table(read_text(path), str(path))
    named = table.pop(KEY, None)
    if named is None:
        return table, None
    if not isinstance(named, str) or not named.strip():
        raise UserError(f"{path}: {KEY}: expected the name of a config, as configs/demo.toml")
    under = toml_table(read_text(Path(named)), named)
    if KEY in under:
        raise UserError(f"{path}: {KEY}: {named} stands on another config itself; one level is all")
    return laid_over(under, table), Path(named)


def laid_over(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Neither of the two is changed."""
    found = dict(under)
    for key, item in over.items():
        before = found.get(key)
        is_table = isinstance(item, dict) and isinstance(before, dict)
        found[key] = laid_over(before, item) if is_table else item  # type: ignore[arg-type]
    return found
