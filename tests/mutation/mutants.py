"""Every small error that can be put into the functions of a file, one at a time, and the code that each would run."""

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import CodeType
from typing import TypeAlias
from zlib import crc32

Place: TypeAlias = tuple[str, int]
"""A function: its qualified name, and the line it begins at."""

OTHER: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div,
    ast.Mod: ast.Div, ast.Pow: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
    ast.Break: ast.Continue, ast.Continue: ast.Break,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One small error. `lines` are those of its statement: a test that runs none of them can't see it."""

    name: str
    place: Place
    was: int
    lines: range
    code: Callable[[], CodeType]


def errors(node: ast.AST) -> Iterator[tuple[str, object]]:  # noqa: C901, PLR0912
    """What to put into which field of a node."""
    match node:
        case ast.Compare(ops=ops):
            yield from (("ops", [*ops[:n], OTHER[type(op)](), *ops[n + 1 :]]) for n, op in enumerate(ops))
        case ast.BoolOp(op=op) | ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in OTHER:
            yield "op", OTHER[type(op)]()
        case ast.Constant(value=bool() as value):
            yield "value", not value
        case ast.Constant(value=int() | float() as value):
            yield "value", value + 1
        case ast.Constant(value=str() as value):
            yield "value", f"XX{value}"
        case ast.JoinedStr(values=values):
            yield "values", [ast.Constant("XX"), *values]
        case ast.Call(args=args, keywords=keywords):
            nothing = ast.Constant(None)
            yield from (("args", [*args[:n], nothing, *args[n + 1 :]]) for n in range(len(args)))
            yield from (("keywords", keywords[:n] + keywords[n + 1 :]) for n in range(len(keywords)))
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
            yield "value", ast.Constant("" if isinstance(value, ast.Constant) and value.value is None else None)
        case ast.Match(cases=cases) if len(cases) > 1:
            # A last case that gives nothing says what happens without it.
            nothing_more = {f"case _:\n    {said}" for said in ("pass", "return None", "return False", "return set()")}
            count = len(cases) - (ast.unparse(cases[-1]) in nothing_more)
            yield from (("cases", cases[:n] + cases[n + 1 :]) for n in range(count))
    test = getattr(node, "test", None)
    if isinstance(test, ast.Name | ast.Attribute | ast.Call | ast.NamedExpr):
        yield "test", ast.UnaryOp(ast.Not(), test)
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not):
            yield name, value.operand
        if isinstance(value, list):
            for n, one in enumerate(value):
                if isinstance(one, ast.UnaryOp) and isinstance(one.op, ast.Not):
                    yield name, [*value[:n], one.operand, *value[n + 1 :]]
                if isinstance(one, ast.Expr | ast.AugAssign) and not _is_text(one):
                    yield name, [*value[:n], _without(one), *value[n + 1 :]]
                if isinstance(one, ast.Break | ast.Continue):
                    yield name, [*value[:n], OTHER[type(one)](), *value[n + 1 :]]


def _without(statement: ast.stmt) -> ast.stmt:
    """Nothing instead; a method that calls `super` must go on having that at hand, or its code fits no function."""
    return ast.If(ast.Constant(False), [statement], []) if "super()" in ast.unparse(statement) else ast.Pass()


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _inside(node: ast.AST, statement: ast.stmt) -> Iterator[tuple[ast.AST, ast.stmt]]:
    """Everything below a node that runs, with the statement that it is a part of."""
    yield node, statement
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "args" if isinstance(node, ast.FunctionDef) else "", "format_spec"}:
            continue
        for one in value if isinstance(value, list) else [value]:
            # The texts of an f-string are one error together.
            if isinstance(one, ast.AST) and not (isinstance(node, ast.JoinedStr) and isinstance(one, ast.Constant)):
                yield from _inside(one, one if isinstance(one, ast.stmt) else statement)


def functions(tree: ast.AST, path: str = "") -> Iterator[tuple[Place, ast.FunctionDef]]:
    """The functions and methods of a tree; what stands inside of one is a part of it."""
    for one in ast.iter_child_nodes(tree):
        if isinstance(one, ast.ClassDef):
            yield from functions(one, f"{path}{one.name}.")
        if isinstance(one, ast.FunctionDef):
            first = one.decorator_list[0].lineno if one.decorator_list else one.lineno
            yield (path + one.name, first), one


def _code(code: CodeType, place: Place) -> CodeType | None:
    if (code.co_qualname, code.co_firstlineno) == place:
        return code
    inner = (one for one in code.co_consts if isinstance(one, CodeType))
    return next((found for one in inner if (found := _code(one, place)) is not None), None)


def _header(statement: ast.stmt) -> str:
    """A statement in one line, without what stands below it."""
    return ast.unparse(statement).split("\n")[0] if hasattr(statement, "body") else ast.unparse(statement)


def _told(before: str, after: str) -> str:
    """Both texts in one line: what they share, and in brackets what stood there and what does."""
    start = next(
        (n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    rest = min(len(before), len(after)) - start
    end = next((n for n in range(rest) if before[-1 - n] != after[-1 - n]), rest)
    while start and (before[start - 1].isalnum() or before[start - 1] == "_"):
        start -= 1
    while end and (before[-end].isalnum() or before[-end] == "_"):
        end -= 1
    was, now = before[start : len(before) - end], after[start : len(after) - end]
    return " ".join(f"{before[max(0, start - 40) : start]}[{was} => {now}]{before[len(before) - end :][:40]}".split())


def mutants(path: str, text: str) -> Iterator[Mutant]:
    """Every mutant of a file, named by its function and by what stands there instead."""
    tree, seen = ast.parse(text), Counter[str]()
    for place, function in functions(tree):
        was = crc32(ast.unparse(function).encode())
        below = [each for one in function.body if not _is_text(one) for each in _inside(one, one)]
        for node, statement in [(function, function), *below]:
            for field, value in errors(node):
                kept, before = getattr(node, field), ast.unparse(statement)
                setattr(node, field, value)
                after = ast.unparse(statement)
                setattr(node, field, kept)
                if before == after:
                    continue
                name = f"{path} {place[0]}: {_told(before, after)}"
                seen[name] += 1
                name = name if seen[name] == 1 else f"{name} #{seen[name]}"
                code = partial(_compiled, tree, node, field, value, path, place)
                yield Mutant(name, place, was, _lines(node, statement), code)


def _lines(node: ast.AST, statement: ast.stmt) -> range:
    own = hasattr(statement, "body") and isinstance(node, ast.expr)
    part = node if own and isinstance(node, ast.expr) else statement
    return range(part.lineno, (part.end_lineno or part.lineno) + 1)


def _compiled(tree: ast.Module, node: ast.AST, field: str, value: object, path: str, place: Place) -> CodeType:
    kept = getattr(node, field)
    setattr(node, field, value)
    try:
        found = _code(compile(ast.fix_missing_locations(tree), path, "exec"), place)
    finally:
        setattr(node, field, kept)
    assert found is not None, place
    return found
