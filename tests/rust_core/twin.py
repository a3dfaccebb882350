"""The slow, obvious Python twins of the figures in `rust_core/src/codehealth`, written over `ast`.

They read what the running Python can parse. Radon and mccabe themselves are the twins of what they define.
"""

from __future__ import annotations

import ast

from tests.rust_core import cognitive_twin


def twin_figures(source: str) -> list[tuple[str, dict[str, int]]]:
    """Return every function's qualified name and the figures that have a twin, in source order."""
    return [
        (
            name,
            {
                "cyclomatic": c901(function),
                "cognitive": cognitive_twin.cognitive(function, is_method=is_method),
                "nesting": cognitive_twin.nesting(function),
                "parameters": cognitive_twin.parameters(function),
                "fan_out": cognitive_twin.fan_out(function),
                "lines": function.end_lineno - function.lineno + 1,
            },
        )
        for name, function, is_method in qualified_functions(ast.parse(source))
    ]


def c901(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the cyclomatic complexity of a function as ruff counts it."""
    return 1 + sum(_c901_of(statement) for statement in function.body)


def _c901_of(node: ast.stmt | ast.ExceptHandler | ast.match_case) -> int:
    return _own_branches(node) + sum(_c901_of(child) for child in _statements_in(node))


def _own_branches(node: ast.AST) -> int:
    match node:
        case ast.If() | ast.For() | ast.AsyncFor() | ast.While() | ast.FunctionDef() | ast.AsyncFunctionDef():
            return 1
        case ast.Try() | ast.TryStar():
            return len(node.handlers) + bool(node.orelse)
        case ast.Match():
            last = node.cases[-1]
            return len(node.cases) - (last.guard is None and _always_matches(last.pattern))
        case _:
            return 0


def _always_matches(pattern: ast.pattern) -> bool:
    match pattern:
        case ast.MatchAs(pattern=None):
            return True
        case ast.MatchAs(pattern=inner):
            return _always_matches(inner)
        case ast.MatchOr(patterns=patterns):
            return any(_always_matches(inner) for inner in patterns)
        case _:
            return False


def _statements_in(node: ast.AST) -> list[ast.AST]:
    return [
        child
        for child in ast.iter_child_nodes(node)
        if isinstance(child, (ast.stmt, ast.ExceptHandler, ast.match_case))
    ]


def qualified_functions(tree: ast.Module) -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef, bool]]:
    """Return every function with its `__qualname__` and whether it is a method, in source order."""
    found: list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef, bool]] = []

    def visit(node: ast.AST, prefix: str, *, is_class: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found.append((f"{prefix}{child.name}", child, is_class))
                visit(child, f"{prefix}{child.name}.<locals>.", is_class=False)
            elif isinstance(child, ast.ClassDef):
                visit(child, f"{prefix}{child.name}.", is_class=True)
            else:
                visit(child, prefix, is_class=is_class)

    visit(tree, "", is_class=False)
    return found
