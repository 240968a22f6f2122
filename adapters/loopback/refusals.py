"""Everything that the venue refuses, with its own codes and texts."""


class Refusal(Exception):
    """An answer that is an error: HTTP status, the venue's code and its text."""

    def __init__(self, code: int, text: str, *, status: int = 400) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text
        self.status = status
        self.retry_after_s = 0
        self.data: object = None

    def body(self) -> dict[str, object]:
        body: dict[str, object] = {"code": self.code, "msg": self.text}
        if self.data is not None:
            body["data"] = self.data
        return body


def too_much_weight(limit: int, retry_after_s: int) -> Refusal:
    text = (
        f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE. "
        "Please use WebSocket Streams for live updates to avoid polling the API."
    )
    refusal = Refusal(-1003, text, status=429)
    refusal.retry_after_s = retry_after_s
    return refusal


def banned(until_ms: int, retry_after_s: int) -> Refusal:
    text = (
        f"Way too much request weight used; IP banned until {until_ms}. "
        "Please use WebSocket Streams for live updates to avoid bans."
    )
    refusal = Refusal(-1003, text, status=418)
    refusal.retry_after_s = retry_after_s
    return refusal


def too_many_orders(limit: int, interval: str, retry_after_s: int) -> Refusal:
    text = f"Too many new orders; current limit is {limit} orders per {interval}."
    refusal = Refusal(-1015, text, status=429)
    refusal.retry_after_s = retry_after_s
    return refusal


def filter_failure(name: str) -> Refusal:
    return Refusal(-1013, f"Filter failure: {name}")


def missing(name: str) -> Refusal:
    return Refusal(
        -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    )


def empty(name: str) -> Refusal:
    return Refusal(-1105, f"Parameter '{name}' was empty.")


def illegal(name: str) -> Refusal:
    return Refusal(
        -1100,
        f"Illegal characters found in parameter '{name}'; legal range is "
        "'^([0-9]{1,20})(\\.[0-9]{1,20})?$'.",
    )


def illegal_id(name: str) -> Refusal:
    return Refusal(
        -1100,
        f"Illegal characters found in parameter '{name}'; legal range is "
        "'^[a-zA-Z0-9-_]{1,36}$'.",
    )


def unread(read: int, sent: int) -> Refusal:
    return Refusal(
        -1104,
        f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'.",
    )


def too_precise(name: str) -> Refusal:
    return Refusal(-1111, f"Parameter '{name}' has too much precision.")


def bad_symbol() -> Refusal:
    return Refusal(-1121, "Invalid symbol.")


def bad_interval() -> Refusal:
    return Refusal(-1120, "Invalid interval.")


def bad_choice(name: str) -> Refusal:
    codes = {"timeInForce": -1115, "type": -1116, "side": -1117}
    texts = {"timeInForce": "timeInForce", "type": "orderType", "side": "side"}
    return Refusal(codes.get(name, -1130), f"Invalid {texts.get(name, name)}.")


def unwanted(name: str) -> Refusal:
    return Refusal(-1106, f"Parameter '{name}' sent when not required.")


def stale_timestamp(*, is_ahead: bool) -> Refusal:
    if is_ahead:
        return Refusal(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    return Refusal(-1021, "Timestamp for this request is outside of the recvWindow.")


def bad_recv_window() -> Refusal:
    return Refusal(-1131, "recvWindow must be less than 60000.")


def bad_signature() -> Refusal:
    return Refusal(-1022, "Signature for this request is not valid.")


def bad_key_form() -> Refusal:
    return Refusal(-2014, "API-key format invalid.", status=401)


def bad_key() -> Refusal:
    return Refusal(-2015, "Invalid API-key, IP, or permissions for action.", status=401)


def rejected(text: str) -> Refusal:
    return Refusal(-2010, text)


def insufficient_balance() -> Refusal:
    return rejected("Account has insufficient balance for requested action.")


def would_match() -> Refusal:
    return rejected("Order would immediately match and take.")


def duplicate_order() -> Refusal:
    return rejected("Duplicate order sent.")


def unknown_cancel() -> Refusal:
    return Refusal(-2011, "Unknown order sent.")


def no_such_order() -> Refusal:
    return Refusal(-2013, "Order does not exist.")


def unsupported() -> Refusal:
    return Refusal(-1020, "This operation is not supported.")


def not_found(path: str) -> Refusal:
    return Refusal(-1, f"Path {path[:100]}, Method is invalid", status=404)
