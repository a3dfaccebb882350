"""Radon's and mccabe's own figures of a source, as plain values that cross a process border."""

from __future__ import annotations

import ast
import signal
import tokenize
from pathlib import Path
from typing import Any

import mccabe
from radon.metrics import h_visit_ast, halstead_visitor_report, mi_visit
from radon.raw import analyze
from radon.visitors import Class, ComplexityVisitor, Function, HalsteadVisitor

from tests.rust_core.twin import twin_figures

Key = tuple[str, int]


def read_source(path: Path) -> str:
    """Return a file's text as Python reads it."""
    with tokenize.open(path) as file:
        return file.read()


def radon_figures(source: str) -> dict[str, Any]:
    """Return complexity and Halstead's figures by (name, line) and of the file, raw counts, maintainability index."""
    tree = ast.parse(source)
    visitor = ComplexityVisitor.from_ast(tree)
    return {
        "functions": dict(_function_figures(visitor.functions, visitor.classes)),
        "total": visitor.total_complexity,
        "halstead": h_visit_ast(tree).total._asdict(),
        "function_halstead": _halstead_by_function(tree),
        "raw": analyze(source)._asdict(),
        "maintainability_index": mi_visit(source, True),
    }


def _function_figures(functions: list[Function], classes: list[Class]) -> list[tuple[Key, int]]:
    found = []
    for function in functions:
        found.append(((function.name, function.lineno), function.complexity))
        found += _function_figures(function.closures, [])
    for one in classes:
        found += _function_figures(one.methods, one.inner_classes)
    return found


def _halstead_by_function(tree: ast.Module) -> dict[Key, dict[str, float]]:
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            visitor = HalsteadVisitor.from_ast(node)
            found[node.name, node.lineno] = halstead_visitor_report(visitor.function_visitors[-1])._asdict()
    return found


def mccabe_figures(source: str) -> dict[Key, int]:
    """Return mccabe's figure of every function that it reports, by (name, line)."""
    visitor = mccabe.PathGraphingAstVisitor()
    tree = ast.parse(source)
    visitor.preorder(tree, visitor)
    functions = {
        (node.name, node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    graphs = ((graph.entity.rpartition(".")[2], graph.lineno, graph) for graph in visitor.graphs.values())
    return {(name, line): graph.complexity() for name, line, graph in graphs if (name, line) in functions}


def figures_within(path: Path, limit_s: int) -> dict[str, Any] | str:
    """Return a file's figures from both and from the twins, or why a peer gave none. Radon can take minutes, hence the limit.

    The limit is CPU time, so that a busy machine changes nothing. Runs in a process of its own, whose timer it uses.
    """

    def stop(_signal: int, _frame: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, limit_s)
    try:
        source = read_source(path)
        return {**radon_figures(source), "mccabe": mccabe_figures(source), "twins": twin_figures(source)}
    except (SyntaxError, UnicodeDecodeError, RecursionError, TimeoutError) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
