"""Look-ahead: quoting from data that are later than the view.

`now_ns` and what is worked out from it are followed through a function. A lookup beyond now, all
that is filtered to be later than now, and the usual slips of data frames are findings.
"""

import ast
from collections.abc import Callable, Iterator

from engine.cli.lint_names import Rule

Full = Callable[[ast.AST], str]
Found = tuple[ast.expr | ast.stmt, Rule, str]

NOW = "now_ns"
SEARCHES = {"bisect", "bisect_left", "bisect_right", "searchsorted", "insort"}
LOOKUPS = {*SEARCHES, "get", "asof", "interp", "take", "at", "select", "lookup"}
SHIFTS = {"shift", "diff", "pct_change", "roll"}
BACKWARD_FILLS = {"bfill", "backfill", "backward_fill"}
LATER_WORDS = {"bfill", "backfill", "backward", "forward", "nearest"}
WORD_KEYS = {"method", "direction", "strategy"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def ahead(tree: ast.Module, full: Full) -> Iterator[Found]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _frame_slips(node, full)
        if isinstance(node, FUNCTIONS):
            yield from _beyond_now(node)


# --- slips of data frames -----------------------------------------------------------------------


def _frame_slips(node: ast.Call, full: Full) -> Iterator[Found]:
    called = _called(node)
    keys = {each.arg: each.value for each in node.keywords if each.arg}
    steps = [*node.args, *(keys[name] for name in ("periods", "n", "shift") if name in keys)]
    if called in SHIFTS and any(_is_negative(step) for step in steps):
        yield node, Rule.AHEAD, f"a negative {called} brings later values to now"
    if called in BACKWARD_FILLS:
        yield node, Rule.AHEAD, f"{called} fills with the next value, which is not known yet"
    center = keys.get("center")
    if isinstance(center, ast.Constant) and center.value is True:
        yield node, Rule.AHEAD, "a centred window takes half of its values from later"
    for name in WORD_KEYS & keys.keys():
        word = keys[name]
        if isinstance(word, ast.Constant) and word.value in LATER_WORDS:
            is_fill = word.value != "forward" or name == "direction"
            if is_fill:
                yield node, Rule.AHEAD, f'{name}="{word.value}" takes a value from later'
    if full(node.func) in ("numpy.convolve", "numpy.gradient"):
        is_same = any(isinstance(a, ast.Constant) and a.value == "same" for a in node.args)
        mode = keys.get("mode")
        is_same |= isinstance(mode, ast.Constant) and mode.value == "same"
        if is_same or full(node.func) == "numpy.gradient":
            yield node, Rule.AHEAD, f"{called} looks to both sides of each value"
    later = keys.get(NOW)
    if later is not None and _adds(later, lambda each: _is_now(each, set())):
        yield node, Rule.AHEAD, "a view of a later moment is made up"


def _called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _is_negative(node: ast.expr) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)


# --- beyond now ---------------------------------------------------------------------------------


def _beyond_now(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Found]:
    nows, places = _followed(function)

    def is_now(node: ast.expr) -> bool:
        return _is_now(node, nows)

    def is_place(node: ast.expr) -> bool:
        return _is_search(node, nows) or (isinstance(node, ast.Name) and node.id in places)

    for node in ast.walk(function):
        match node:
            case ast.Subscript(slice=index, ctx=ast.Load()) if _reaches(index, is_now, is_place):
                yield node, Rule.AHEAD, "this entry is later than view.now_ns"
            case ast.Call(args=args) if _called(node) in LOOKUPS and _any_adds(args, is_now):
                yield node, Rule.AHEAD, "this looks up a moment later than view.now_ns"
            case ast.comprehension(ifs=tests):
                for test in tests:
                    yield from _later(test, is_now)
            case _:
                pass


def _followed(function: ast.AST) -> tuple[set[str], set[str]]:
    """Names that hold now (or more), and names that hold the place of now in some series."""
    nows: set[str] = set()
    places: set[str] = set()

    def is_now(node: ast.expr) -> bool:
        return _is_now(node, nows)

    for _ in range(3):  # through assignments in any order; deeper chains are not written
        for node in ast.walk(function):
            if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
                continue
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {each.id for each in targets if isinstance(each, ast.Name)}
            if _is_search(node.value, nows):
                places |= names
            elif is_now(node.value) or _adds(node.value, is_now):
                nows |= names
    return nows, places


def _is_now(node: ast.expr, nows: set[str]) -> bool:
    """`view.now_ns`, a name that holds it, or either in another unit."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv | ast.Div | ast.Mult):
        return _is_now(node.left, nows)
    if isinstance(node, ast.Call) and _called(node) in ("int", "round", "float"):
        return any(_is_now(each, nows) for each in node.args)
    if isinstance(node, ast.Attribute):
        return node.attr == NOW
    return isinstance(node, ast.Name) and node.id in nows | {NOW}


def _is_search(node: ast.expr, nows: set[str]) -> bool:
    """Where now falls in a series: what stands there is not over yet."""
    return (
        isinstance(node, ast.Call)
        and _called(node) in SEARCHES
        and any(_is_now(each, nows) for each in node.args)
    )


def _any_adds(nodes: list[ast.expr], is_it: Callable[[ast.expr], bool]) -> bool:
    return any(_adds(each, is_it) for each in nodes)


def _adds(node: ast.expr, is_it: Callable[[ast.expr], bool]) -> bool:
    """Whether something is added to it anywhere in this expression."""
    for each in ast.walk(node):
        is_sum = isinstance(each, ast.BinOp) and isinstance(each.op, ast.Add)
        if not is_sum or not isinstance(each, ast.BinOp):
            continue
        if (is_it(each.left) and not _is_negative(each.right)) or is_it(each.right):
            return True
    return False


def _reaches(
    index: ast.expr, is_now: Callable[[ast.expr], bool], is_place: Callable[[ast.expr], bool]
) -> bool:
    """An index at or behind the place of now, or a moment after it."""
    if isinstance(index, ast.Slice):
        begins, ends = index.lower, index.upper
        is_open = begins is not None and (is_place(begins) or is_now(begins)) and ends is None
        beyond = [each for each in (begins, ends) if each is not None]
        return is_open or any(_adds(each, is_place) or _adds(each, is_now) for each in beyond)
    return is_place(index) or _adds(index, is_place) or _adds(index, is_now)


def _later(test: ast.expr, is_now: Callable[[ast.expr], bool]) -> Iterator[Found]:
    """A filter that keeps what lies behind now."""
    for each in ast.walk(test):
        match each:
            case ast.Compare(ops=[ast.Gt() | ast.GtE()], comparators=[right]) if is_now(right):
                yield test, Rule.AHEAD, "this keeps what is later than view.now_ns"
            case ast.Compare(left=left, ops=[ast.Lt() | ast.LtE()]) if is_now(left):
                yield test, Rule.AHEAD, "this keeps what is later than view.now_ns"
            case _:
                pass
