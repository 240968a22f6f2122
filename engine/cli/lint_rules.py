"""Reads a strategy's source and finds what would make it differ from run to run, or look ahead."""

import ast
import builtins
from collections.abc import Iterator

from engine.cli.lint_ahead import ahead
from engine.cli.lint_names import Finding, Rule, banned, reach_of

MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
MAKERS = {
    "builtins.list", "builtins.dict", "builtins.set", "builtins.bytearray", "collections.deque",
    "collections.defaultdict", "collections.Counter", "collections.OrderedDict", "numpy.zeros",
    "numpy.ones", "numpy.empty", "numpy.array", "numpy.full",
}  # fmt: skip
CHANGERS = {
    "add", "append", "appendleft", "clear", "discard", "extend", "fill", "insert", "pop", "popitem",
    "popleft", "put", "remove", "resize", "reverse", "setdefault", "sort", "update",
}  # fmt: skip
"""Methods that change what they are called on."""
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
INNARDS = {"__class__", "__dict__", "__globals__", "__subclasses__", "__builtins__", "__code__"}
ORDERED = {"list", "tuple", "iter", "enumerate", "next", "zip", "map", "sum", "join"}
CLASS = "the class"
SHARED = "is shared by every market and outlives the run"


def findings_in(source: str, file: str) -> list[Finding]:
    """Every fault, in order of lines. Raises SyntaxError."""
    tree = ast.parse(source, file)
    names = Names(tree)
    found = [*imported(tree), *reached(tree, names), *kept(tree, names), *unordered(tree, names)]
    found += ahead(tree, names.full)
    return sorted(
        {
            Finding(
                file=file,
                line=node.lineno,
                column=node.col_offset + 1,
                rule=rule,
                why=why,
            )
            for node, rule, why in found
        }
    )


def modules_of(source: str) -> set[str]:
    """Every module that it imports, the relative ones left out."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found


Found = tuple[ast.expr | ast.stmt, Rule, str]


class Names:
    """What each name of a module stands for, as far as its imports and built-ins say."""

    def __init__(self, tree: ast.Module) -> None:
        self.imported: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    root = alias.name.partition(".")[0]
                    self.imported[alias.asname or root] = alias.name if alias.asname else root
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    self.imported[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        self.own = {
            name.id
            for node in ast.walk(tree)
            for name in ast.walk(node)
            if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
        } | {
            node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        }

    def full(self, node: ast.AST) -> str:
        """`np.random.normal` as numpy.random.normal; "" for what is no plain name."""
        if isinstance(node, ast.Attribute):
            inner = self.full(node.value)
            return f"{inner}.{node.attr}" if inner else ""
        if not isinstance(node, ast.Name):
            return ""
        if node.id in self.imported:
            return self.imported[node.id]
        is_built_in = hasattr(builtins, node.id) and node.id not in self.own
        return f"builtins.{node.id}" if is_built_in else ""


def imported(tree: ast.Module) -> Iterator[Found]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                wrong = [found for alias in aliases if (found := reach_of(alias.name))]
                yield from ((node, *found) for found in wrong)
            case ast.ImportFrom(module=str(module), level=0) if found := reach_of(module):
                yield node, *found
            case ast.ImportFrom(level=0, names=[ast.alias(name="*")]):
                yield node, Rule.HIDDEN, "import * brings names that cannot be seen from here"
            case _:
                pass


def reached(tree: ast.Module, names: Names) -> Iterator[Found]:
    """Uses, whether called or handed on: `now = time.time` is as bad as calling it."""
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        is_whole = isinstance(node, ast.Name | ast.Attribute) and id(node) not in inner
        if is_whole and (found := banned(names.full(node))):
            yield node, *found  # type: ignore[misc]  # a name is an expression
        match node:
            case ast.Attribute(attr=attr) if attr in INNARDS:
                yield node, Rule.HIDDEN, f"{attr} reaches behind the source"
            case ast.Attribute(attr="tofile" | "dump" as attr):
                yield node, Rule.IO, f"{attr} writes a file"
            case ast.Await() | ast.AsyncFunctionDef():
                yield node, Rule.IO, "quote waits for nothing: it is called, and answers"
            case ast.Call(func=called, args=[first, *_]):
                yield from _called(node, names.full(called), first, names)
            case _:
                pass


def _called(node: ast.Call, name: str, first: ast.expr, names: Names) -> Iterator[Found]:
    if name == "builtins.getattr" and names.full(first):
        yield node, Rule.HIDDEN, "a module's name is looked up by text"
    is_moment = name == "numpy.datetime64" and isinstance(first, ast.Constant)
    if is_moment and ast.unparse(first) in ("'now'", "'today'"):
        yield node, Rule.CLOCK, "time is view.now_ns"


# --- state that is shared -----------------------------------------------------------------------


def kept(tree: ast.Module, names: Names) -> Iterator[Found]:
    yield from _class_state(tree, names)
    classes = {n.name for n in ast.walk(tree) if isinstance(n, ast.ClassDef)}
    shared = _module_names(tree) | classes | {CLASS}
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield node, Rule.STATE, f"global {', '.join(node.names)} {SHARED}"
        elif isinstance(node, FUNCTIONS):
            yield from _shared_defaults(node, names)
            theirs = shared - _locals(node)
            wrong = [(changed, name) for changed, name in _changed(node) if name in theirs]
            yield from ((changed, Rule.STATE, f"{name} {SHARED}") for changed, name in wrong)


def _shared_defaults(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, names: Names
) -> Iterator[Found]:
    for default in [*node.args.defaults, *(each for each in node.args.kw_defaults if each)]:
        if _is_mutable(default, names):
            yield default, Rule.STATE, f"this default {SHARED}"


def _class_state(tree: ast.Module, names: Names) -> Iterator[Found]:
    """A list in the body of a class, unless it is a Struct, whose defaults are copied."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        is_struct = any(names.full(base).startswith("msgspec.") for base in node.bases)
        for line in node.body:
            value = line.value if isinstance(line, ast.Assign | ast.AnnAssign) else None
            if value is not None and not is_struct and _is_mutable(value, names):
                yield line, Rule.STATE, f"an attribute of the class {SHARED}: make it in __init__"


def _is_mutable(node: ast.expr, names: Names) -> bool:
    return isinstance(node, MUTABLE) or (
        isinstance(node, ast.Call) and names.full(node.func) in MAKERS
    )


def _module_names(tree: ast.Module) -> set[str]:
    return {
        name.id
        for line in tree.body
        if isinstance(line, ast.Assign | ast.AnnAssign | ast.AugAssign)
        for name in ast.walk(line)
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
    }


def _locals(node: ast.AST) -> set[str]:
    """Parameters, and names that are assigned inside."""
    found = {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}
    return found | {
        each.id
        for each in ast.walk(node)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    }


def _changed(node: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    """What is stored into or changed by a method, with the name at its root."""
    for each in ast.walk(node):
        if isinstance(each, ast.Subscript | ast.Attribute) and isinstance(
            each.ctx, ast.Store | ast.Del
        ):
            yield each, _root(each)
        match each:
            case ast.Call(func=ast.Attribute(attr=attr) as changer) if attr in CHANGERS:
                yield each, _root(changer)
            case ast.Call(func=ast.Name(id="next"), args=[ast.Name(id=name), *_]):
                yield each, name
            case _:
                pass


def _root(node: ast.expr) -> str:
    """The name that is changed; `type(self)` is the class, which is nobody's own."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "type":
        return CLASS
    return node.id if isinstance(node, ast.Name) else ""


# --- order that depends on the process ----------------------------------------------------------


def unordered(tree: ast.Module, names: Names) -> Iterator[Found]:
    """The order of a set of texts is another one in each process."""
    why = "the order of a set differs from process to process: sort it"
    for node in ast.walk(tree):
        places: list[ast.expr] = []
        if isinstance(node, ast.For | ast.comprehension):
            places = [node.iter]
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            called = called or names.full(node.func).removeprefix("builtins.")
            places = node.args if called in ORDERED else []
        for place in places:
            is_made = isinstance(place, ast.Call) and names.full(place.func) in (
                "builtins.set",
                "builtins.frozenset",
            )
            if isinstance(place, ast.Set | ast.SetComp) or is_made:
                yield place, Rule.CHANCE, why
