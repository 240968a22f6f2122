"""Kill switches: of one action, of a venue, of an asset, of everything. Off again is a word too."""

from engine.values.action_words import Scope
from engine.values.execution_records import ParentPlan, Switched


class Switches:
    """Which are on. Only records change them, so a restart finds them as they were."""

    def __init__(self) -> None:
        self.on: dict[tuple[Scope, str], Switched] = {}

    def remember(self, record: Switched) -> None:
        place = (record.scope, record.name)
        if record.is_on:
            self.on[place] = record
        else:
            self.on.pop(place, None)

    def stops(self, plan: ParentPlan) -> str:
        """Which of them stops a whole parent, "" for none."""
        for place in (
            (Scope.ALL, ""),
            (Scope.ASSET, plan.asset),
            (Scope.ACTION, plan.parent),
            (Scope.ACTION, plan.proposal),
        ):
            if place in self.on:
                return self._text(place)
        return ""

    def stops_venue(self, venue: str) -> str:
        place = (Scope.VENUE, venue)
        return self._text(place) if place in self.on else ""

    def _text(self, place: tuple[Scope, str]) -> str:
        found = self.on[place]
        named = f" {found.name}" if found.name else ""
        return f"kill switch ({found.scope}{named}) by {found.who}: {found.reason}"
