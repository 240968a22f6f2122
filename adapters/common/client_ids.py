"""Whose order was it: the venue's order ids of late, and the client ids that we gave them.

Lists of own trades name only the venue's order id on several venues, Binance among them.
"""

from collections import OrderedDict

ORDERS_MAX = 20_000


class ClientIds:
    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], str] = OrderedDict()

    def learn(self, market: str, venue_id: str, client_id: str) -> None:
        if venue_id and client_id:
            self._known[market, venue_id] = client_id
            self._known.move_to_end((market, venue_id))
        while len(self._known) > ORDERS_MAX:
            self._known.popitem(last=False)

    def find(self, market: str, venue_id: str) -> str | None:
        return self._known.get((market, venue_id))
