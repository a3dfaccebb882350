"""The slow, obvious twins of cognitive complexity and of nesting, parameters and fan-out, written over `ast`."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)


def cognitive(function: Function, *, is_method: bool) -> int:
    """Return the cognitive complexity of a function by Sonar's paper."""
    count = _Count()
    count.add_all(function.body, 0, function)
    return count.total + is_recursive(function, is_method=is_method)


class _Count:
    """Adds up increments. `level` is how deep a node is nested, `around` the function or class it stands in."""

    def __init__(self) -> None:
        self.total = 0
        self._counted: set[ast.AST] = set()

    def add_all(self, nodes: Iterable[ast.AST | None], level: int, around: ast.AST) -> None:
        for node in nodes:
            if node is not None:
                self.add(node, level, around)

    def add(self, node: ast.AST, level: int, around: ast.AST) -> None:
        match node:
            case ast.If():
                self.total += 1 + level
                self._add_if(node, level, around)
            case ast.For() | ast.AsyncFor() | ast.While():
                self.total += 1 + level
                head = [node.test] if isinstance(node, ast.While) else [node.target, node.iter]
                self.add_all(head, level, around)
                self.add_all(node.body, level + 1, around)
                self._add_else(node.orelse, level, around)
            case ast.Try() | ast.TryStar():
                self.add_all([*node.body, *node.handlers, *node.finalbody], level, around)
                self._add_else(node.orelse, level, around)
            case ast.ExceptHandler():
                self.total += 1 + level
                self.add_all([node.type], level, around)
                self.add_all(node.body, level + 1, around)
            case ast.Match():
                self.total += 1 + level
                self.add_all([node.subject, *node.cases], level, around)
            case ast.match_case():
                self.add_all([node.pattern, node.guard], level, around)
                self.add_all(node.body, level + 1, around)
            case ast.IfExp():
                self.total += 1 + level
                self.add_all([node.test, node.body, node.orelse], level + 1, around)
            case ast.Lambda():
                self.add(node.args, level, around)
                self.add(node.body, level + 1, around)
            case ast.BoolOp():
                self._add_run(node)
                self.add_all(node.values, level, around)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._add_function(node, level, around)
            case ast.ClassDef():
                self.add_all([*node.decorator_list, *node.bases, *node.keywords], level, around)
                self.add_all(node.body, 0, node)
            case _:
                self.add_all(ast.iter_child_nodes(node), level, around)

    def _add_if(self, node: ast.If, level: int, around: ast.AST) -> None:
        self.add(node.test, level, around)
        self.add_all(node.body, level + 1, around)
        if is_elif(node):
            self.total += 1
            self._add_if(node.orelse[0], level, around)
        else:
            self._add_else(node.orelse, level, around)

    def _add_else(self, body: list[ast.stmt], level: int, around: ast.AST) -> None:
        if body:
            self.total += 1
            self.add_all(body, level + 1, around)

    def _add_function(self, node: Function, level: int, around: ast.AST) -> None:
        self.add_all([*node.decorator_list, node.args, node.returns], level, around)
        self.total += is_recursive(node, is_method=isinstance(around, ast.ClassDef))
        if isinstance(around, ast.ClassDef):
            self.add_all(node.body, 0, node)
        else:
            self.add_all(node.body, level + (not is_decorator(around)), node)

    def _add_run(self, node: ast.BoolOp) -> None:
        if node not in self._counted:
            operators = [type(operator) for operator in self._operators(node)]
            changes = [
                one for one, before in zip(operators[1:], operators, strict=False) if one is not before
            ]
            self.total += 1 + len(changes)

    def _operators(self, node: ast.BoolOp) -> Iterator[ast.boolop]:
        """Yield the operators of a run in the order of the text."""
        self._counted.add(node)
        for at, value in enumerate(node.values):
            if at:
                yield node.op
            if isinstance(value, ast.BoolOp):
                yield from self._operators(value)


def is_elif(node: ast.If) -> bool:
    """Return whether what follows is `elif`: `else:` with an `if` in it is the same tree, but indented."""
    return (
        len(node.orelse) == 1
        and isinstance(node.orelse[0], ast.If)
        and node.orelse[0].col_offset == node.col_offset
    )


def is_decorator(node: ast.AST) -> bool:
    """Return whether a function holds nothing but one function and `return name`."""
    if not isinstance(node, FUNCTIONS):
        return False
    rest = [statement for statement in node.body if not isinstance(statement, FUNCTIONS)]
    return len(node.body) - len(rest) == 1 and all(
        isinstance(statement, ast.Return) and isinstance(statement.value, ast.Name) for statement in rest
    )


def is_recursive(function: Function, *, is_method: bool) -> bool:
    """Return whether a function calls itself by name, or a method through its first parameter."""
    first = next(iter([*function.args.posonlyargs, *function.args.args]), None)
    for call in own_calls(function, with_classes=False):
        match call.func:
            case ast.Name(id=name) if not is_method and name == function.name:
                return True
            case ast.Attribute(value=ast.Name(id=receiver), attr=name) if (
                is_method and first is not None and (receiver, name) == (first.arg, function.name)
            ):
                return True
    return False


def own_calls(function: Function, *, with_classes: bool) -> list[ast.Call]:
    """Return the calls in a function's body that stand in no other function, nor in a class unless wanted."""
    found: list[ast.Call] = []

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.Call):
            found.append(node)
        inner = ast.iter_child_nodes(node)
        if isinstance(node, FUNCTIONS):
            inner = iter([*node.decorator_list, node.args, *([node.returns] if node.returns else [])])
        elif isinstance(node, ast.ClassDef) and not with_classes:
            inner = iter([*node.decorator_list, *node.bases, *node.keywords])
        for child in inner:
            visit(child)

    for statement in function.body:
        visit(statement)
    return found


def fan_out(function: Function) -> int:
    """Return how many different names a function calls; `f().c` and `x[0].c` are both `.c`, `f()()` has no name."""
    names = {_callee(call.func) for call in own_calls(function, with_classes=True)}
    return len(names - {""})


def _callee(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{_callee(value) if isinstance(value, ast.Name | ast.Attribute) else ''}.{name}"
        case _:
            return ""


def nesting(node: ast.AST) -> int:
    """Return how deep blocks stand one inside another, without nested functions and classes."""
    inner = [
        child for child in ast.iter_child_nodes(node) if not isinstance(child, (*FUNCTIONS, ast.ClassDef))
    ]
    if isinstance(node, ast.If) and is_elif(node):
        inner.remove(node.orelse[0])
        return max(1 + max(map(nesting, inner)), nesting(node.orelse[0]))
    return isinstance(node, BLOCKS) + max(map(nesting, inner), default=0)


def parameters(function: Function) -> int:
    """Return how many parameters a function has."""
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return len(named) + (arguments.vararg is not None) + (arguments.kwarg is not None)
