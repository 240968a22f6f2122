"""The verb `treasury` of a control socket: signed words in, the inbox out.

Whoever holds a desk gives `handle` to its ControlServer, or hands the one verb on to it. A word
over the socket is worth its signature and nothing more: who is connected does not matter.
"""

from typing import Any

from engine.runtime.action_answers import inbox, taken
from engine.runtime.action_driver import ActionDriver
from engine.runtime.action_files import word_of
from engine.treasury.desk_step import SignedWord
from engine.values.errors import UserError

VERB = "treasury"
WORDS_MAX = 100


class DeskTalk:
    """Answers for one desk."""

    def __init__(self, driver: ActionDriver) -> None:
        self._driver = driver

    def __repr__(self) -> str:
        return f"<talk of {self._driver}>"

    async def handle(self, verb: str, args: dict[str, Any]) -> dict[str, Any]:
        """`{"words": [...]}` or `{"inbox": is_all}`. Raises UserError."""
        if verb != VERB:
            raise UserError(f"no verb {verb[:40]!r}")
        desk = self._driver.desk
        if "words" in args:
            words = words_of(args["words"])
            return {"answers": [taken(await self._driver.take(word), desk) for word in words]}
        if "inbox" in args:
            await self._driver.tick()
            return inbox(desk, self._driver.now_ns(), is_all=bool(args["inbox"]))
        raise UserError("treasury: expected words or inbox")


def words_of(texts: object) -> list[SignedWord]:
    """Signed words as they come over a socket: JSON texts in a list. Raises UserError."""
    if not isinstance(texts, list) or len(texts) > WORDS_MAX:
        raise UserError(f"words: expected a list of at most {WORDS_MAX}")
    if not all(isinstance(text, str) for text in texts):
        raise UserError("words: expected texts")
    return [word_of(text, f"words[{index}]") for index, text in enumerate(texts)]
