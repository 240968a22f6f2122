"""What a checker of ordered or ranked rows finds wrong: playbooks and policies alike."""

from enum import StrEnum

import msgspec


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One reason why rows may not run. `text` names them, and an example where there is one."""

    fault: StrEnum
    rows: tuple[str, ...]
    text: str
