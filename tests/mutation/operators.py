"""Small changes of Python source that a good test notices, found in the syntax tree and made in the text."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

SWAPS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}
Position = Callable[[int, int], int]
QUIET = ("log", "LOG")
"""What is only logged changes nothing that a till does."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: the text of ``path`` from ``start`` to ``end`` (offsets) becomes ``new``."""

    path: str
    line: int
    start: int
    end: int
    old: str
    new: str

    @property
    def name(self) -> str:
        """Return path, line and change, as a person reads it."""
        return f"{self.path}:{self.line}: {' '.join(self.old.split())} -> {self.new}"

    def applied(self, source: str) -> str:
        """Return the changed text."""
        return source[: self.start] + self.new + source[self.end :]


def mutants(path: str, source: str) -> Iterator[Mutant]:
    """Yield every change of a file, in its order."""
    offsets = _line_offsets(source)

    def at(line: int, column: int) -> int:
        """Return the offset of a position; columns of the tree count bytes."""
        begin = offsets[line - 1]
        text = source[begin : offsets[line]]
        return begin + len(text.encode()[:column].decode())

    def change(line: int, start: int, end: int, new: str) -> Mutant:
        return Mutant(path, line, start, end, source[start:end], new)

    tree = ast.parse(source)
    for node in _executed(tree):
        if isinstance(node, ast.Compare):
            left: ast.expr = node.left
            for operator, right in zip(node.ops, node.comparators, strict=True):
                old, new = SWAPS[type(operator)]
                begin, end = _end(left, at), _begin(right, at)
                found = source.find(old, begin, end)
                if found >= 0:
                    yield change(left.end_lineno or left.lineno, found, found + len(old), new)
                left = right
        elif isinstance(node, ast.BoolOp):
            old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            found = source.find(old, _end(node.values[0], at), _begin(node.values[1], at))
            if found >= 0:
                yield change(node.values[0].end_lineno or node.lineno, found, found + len(old), new)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield change(node.lineno, _begin(node, at), _begin(node.operand, at), "")
        elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
            yield change(node.lineno, _begin(node, at), _end(node, at), str(not node.value))
        elif isinstance(node, ast.Constant) and isinstance(node.value, int):
            yield change(node.lineno, _begin(node, at), _end(node, at), str(node.value + 1))
        elif isinstance(node, ast.Expr) and _acts(node.value):
            yield change(node.lineno, _begin(node, at), _end(node, at), "pass")


def _executed(tree: ast.Module) -> Iterator[ast.AST]:
    """Walk everything but annotations and type-level code."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop(0)
        yield node
        for name, value in ast.iter_fields(node):
            if name in {"annotation", "returns", "type_params", "decorator_list"}:
                continue
            children = value if isinstance(value, list) else [value]
            waiting.extend(child for child in children if isinstance(child, ast.AST))


def _acts(value: ast.expr) -> bool:
    """Tell a call made for what it does, other than logging."""
    call = value.value if isinstance(value, ast.Await) else value
    if not isinstance(call, ast.Call):
        return False
    root = call.func
    while isinstance(root, ast.Attribute):
        root = root.value
    return not (isinstance(root, ast.Name) and root.id in QUIET)


def _begin(node: ast.expr | ast.stmt, at: Position) -> int:
    return at(node.lineno, node.col_offset)


def _end(node: ast.expr | ast.stmt, at: Position) -> int:
    return at(node.end_lineno or node.lineno, node.end_col_offset or 0)


def _line_offsets(source: str) -> list[int]:
    offsets = [0]
    for line in source.splitlines(keepends=True):
        offsets.append(offsets[-1] + len(line))
    return offsets
