"""Where complexipy departs from Sonar's paper, construct by construct; everywhere else it must agree with us.

- It counts comprehensions as loops, and each of their `if`s.
- It does not count the `else` of a loop or of `try`, nor nests what stands in it.
- A nested function deepens the nesting only where it stands directly in another, a decorator needs exactly two statements,
  and statements of a class inside a function are not counted.
- A boolean operator inside another is compared with its siblings, not with the operator before it in the text.
- It does not look everywhere for boolean operators and conditional expressions: not under arithmetic, attributes,
  subscripts, `await`, keyword arguments, f-strings, targets, nor in the subject and guards of `match`.
- The test of a conditional expression does not nest.
- A method that calls a *function* of its name (`open` in a class) is taken for recursion, one that calls itself through
  `self` is not; nor are calls in a lambda seen.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from tests.rust_core.cognitive_twin import FUNCTIONS, Function, is_recursive

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
LOOPS = (ast.For, ast.AsyncFor, ast.While)
TRIES = (ast.Try, ast.TryStar)


def differences(function: Function, *, is_method: bool) -> set[str]:
    """Return which of the differences above concern a function."""
    nodes = [node for statement in function.body for node in ast.walk(statement)]
    claims = {
        "comprehension": any(isinstance(node, COMPREHENSIONS) for node in nodes),
        "else of a loop or try": any(isinstance(node, (*LOOPS, *TRIES)) and node.orelse for node in nodes),
        "nested function or class": any(isinstance(node, (*FUNCTIONS, ast.ClassDef)) for node in nodes),
        "operator inside another": any(
            _holds_another(node) for node in nodes if isinstance(node, ast.BoolOp)
        ),
        "place not looked at": _has_unseen(function, nodes),
        "test of a conditional": any(
            isinstance(node, ast.IfExp) and _has_conditional(node.test) for node in nodes
        ),
        "recursion": is_recursive(function, is_method=is_method) != _seems_recursive(function),
    }
    return {name for name, holds in claims.items() if holds}


def _holds_another(node: ast.BoolOp) -> bool:
    operands = (value.operand if isinstance(value, ast.UnaryOp) else value for value in node.values)
    return any(isinstance(operand, (ast.BoolOp, ast.UnaryOp)) for operand in operands)


def _has_conditional(node: ast.expr) -> bool:
    return any(isinstance(inner, ast.IfExp) for inner in ast.walk(node))


def _has_unseen(function: Function, nodes: Iterable[ast.AST]) -> bool:
    seen = {node for statement in function.body for root in _roots(statement) for node in _seen_from(root)}
    return any(isinstance(node, (ast.BoolOp, ast.IfExp)) and node not in seen for node in nodes)


def _roots(statement: ast.AST) -> Iterator[ast.expr]:
    """Yield the expressions that complexipy looks at in a statement and those inside it."""
    match statement:
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign() | ast.Return() | ast.Expr():
            yield from filter(None, [statement.value])
        case ast.For() | ast.AsyncFor():
            yield statement.iter
        case ast.If() | ast.While():
            yield statement.test
        case ast.Raise():
            yield from filter(None, [statement.exc, statement.cause])
        case ast.Assert():
            yield from filter(None, [statement.test, statement.msg])
        case ast.With() | ast.AsyncWith():
            yield from (item.context_expr for item in statement.items)
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, (ast.stmt, ast.ExceptHandler, ast.match_case)):
            yield from _roots(child)


def _seen_from(node: ast.expr) -> Iterator[ast.expr]:
    yield node
    for child in _looked_at(node):
        yield from _seen_from(child)


def _looked_at(node: ast.expr) -> list[ast.expr]:
    match node:
        case ast.UnaryOp(operand=ast.BoolOp() as operand):
            return [operand]
        case ast.Compare():
            return [node.left, *node.comparators]
        case ast.IfExp():
            return [node.test, node.body, node.orelse]
        case ast.Lambda():
            return [node.body]
        case ast.Call():
            return node.args
        case ast.Tuple() | ast.List() | ast.Set():
            return node.elts
        case ast.Dict():
            return node.values
        case _:
            return []


def _seems_recursive(function: Function) -> bool:
    """Return whether the function's name is called anywhere in it but in functions, classes and lambdas inside."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.Lambda)):
            continue
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function.name:
            return True
        waiting += ast.iter_child_nodes(node)
    return False
