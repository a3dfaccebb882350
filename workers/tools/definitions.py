"""Puts functions, methods and classes into a Python file by their names.

A small model that must quote the lines it replaces quotes them wrongly; one that gives the whole new function
needs no quote. So the name is the place: each definition takes the place of the one that has its name, methods
inside their class, and what is new is added.
"""

from __future__ import annotations

import ast
import io
import textwrap
from dataclasses import dataclass, field

from workers.tools.errors import EditRefused

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(slots=True)
class Merged:
    """A file's new text and what happened to it, by name."""

    text: str
    replaced: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)

    @property
    def said(self) -> str:
        """Return "replaced a, b; added c"."""
        parts = [("replaced", self.replaced), ("added", self.added)]
        return "; ".join(f"{verb} {', '.join(names)}" for verb, names in parts if names)


def merge_definitions(text: str, code: str) -> Merged:
    """Return `text` with the definitions, imports and constants of `code` in it.

    Raises:
        EditRefused: one of the two does not parse, or `code` holds nothing that has a name.
    """
    code = textwrap.dedent(code.replace("\r\n", "\n")).strip("\n") + "\n"
    is_crlf = "\r\n" in text
    merged = Merged(text.replace("\r\n", "\n"))
    before = _names_of(_parse(merged.text, "The file"))
    body = _parse(code, "Your code").body
    for node in body:
        _merge_statement(merged, code, node, _parse(merged.text, "The file"))
    if not any(_name_of(node) or isinstance(node, ast.Import | ast.ImportFrom) for node in body):
        raise EditRefused("Your code holds no whole function, class, constant or import.")
    if before - _names_of(_parse(merged.text, "The file with your code in it")):
        raise EditRefused("Your code would overwrite what stands on the same line; use edit_file.")
    if is_crlf:
        merged.text = merged.text.replace("\n", "\r\n")
    return merged


def mean_the_same(one: str, other: str) -> bool:
    """Return whether two Python files differ in nothing but comments, docstrings, quotes, blanks and line ends."""
    return _dump(_parse(one, "The file")) == _dump(_parse(other, "The file"))


def _dump(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | _Definition) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


def _parse(text: str, what: str) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        where = f" in line {line}" if line else ""
        raise EditRefused(f"{what} does not parse{where}: {getattr(error, 'msg', error)}.") from None


def _merge_statement(merged: Merged, code: str, node: ast.stmt, tree: ast.Module) -> None:
    if isinstance(node, ast.ClassDef):
        same = _find(tree, node.name)
        if isinstance(same, ast.ClassDef) and _may_merge(same, node):
            _merge_class(merged, code, node)
            return
    if isinstance(node, ast.Import | ast.ImportFrom):
        _add_import(merged, node, tree)
    elif (home := _class_of_bare_method(node, tree)) is not None:
        _put_member(merged, code, node, home.name)
    elif (name := _name_of(node)) is not None:
        _put(merged, _piece(code, node), name, _find(tree, name), end=_end_of_module(tree, node))


def _merge_class(merged: Merged, code: str, given: ast.ClassDef) -> None:
    """Put each member of the given class into the class of the same name; other members stay."""
    for member in given.body:
        _put_member(merged, code, member, given.name)


def _put_member(merged: Merged, code: str, member: ast.stmt, class_name: str) -> None:
    name = _name_of(member)
    home = _find(_parse(merged.text, "The file"), class_name)
    if name is None or not isinstance(home, ast.ClassDef):
        return
    line = _lines(merged.text)[home.body[0].lineno - 1]
    piece = _piece(code, member, indent=line[: home.body[0].col_offset])
    end = home.end_lineno or home.lineno
    _put(merged, piece, f"{class_name}.{name}", _find(home, name), end=end)


def _class_of_bare_method(node: ast.stmt, tree: ast.Module) -> ast.ClassDef | None:
    """Return the class that a method written without its class belongs to, if it is one.

    Raises:
        EditRefused: several classes have such a method.
    """
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or _find(tree, node.name):
        return None
    first = next((argument.arg for argument in (*node.args.posonlyargs, *node.args.args)), "")
    if first not in ("self", "cls"):
        return None
    classes = [other for other in tree.body if isinstance(other, ast.ClassDef)]
    homes = [home for home in classes if node.name in _names_of(home)] or classes
    if len(homes) > 1:
        names = ", ".join(home.name for home in homes)
        raise EditRefused(f"{node.name} is a method: write it inside its class, one of {names}.")
    return homes[0] if homes and homes[0].body[0].lineno > homes[0].lineno else None


def _put(merged: Merged, piece: str, shown: str, old: ast.stmt | None, *, end: int) -> None:
    """Write `piece` over `old`, or after line `end` where there is none."""
    lines = _lines(merged.text)
    if old is not None:
        first, last = _first_line(old), old.end_lineno or old.lineno
        if "".join(lines[first - 1 : last]).strip() == piece.strip():
            return
        lines[first - 1 : last] = [piece]
        merged.replaced.append(shown)
    else:
        if end and not lines[end - 1].endswith("\n"):
            lines[end - 1] += "\n"
        is_member = piece[:1].isspace()
        is_code = piece.lstrip().startswith(("def ", "async def ", "class ", "@"))
        gap = "\n" * ((1 if is_member else 2) if is_code and end else 0)
        lines.insert(end, gap + piece)
        merged.added.append(shown)
    merged.text = "".join(lines)


def _add_import(merged: Merged, node: ast.Import | ast.ImportFrom, tree: ast.Module) -> None:
    wanted = ast.unparse(node)
    known = {ast.unparse(other) for other in ast.walk(tree) if isinstance(other, ast.Import | ast.ImportFrom)}
    if wanted in known:
        return
    lines = _lines(merged.text)
    is_future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
    lines.insert(_end_of_docstring(tree) if is_future else _end_of_imports(tree), wanted + "\n")
    merged.text = "".join(lines)
    merged.added.append(f"`{wanted}`")


def _end_of_docstring(tree: ast.Module) -> int:
    first = tree.body[0] if tree.body else None
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return (first.end_lineno or 0) if first is not None and is_docstring else 0


def _end_of_imports(tree: ast.Module) -> int:
    """The line after which a new import stands: below the other imports, else below the docstring."""
    last = _end_of_docstring(tree)
    for node in tree.body[1 if last else 0 :]:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            break
        last = node.end_lineno or node.lineno
    return last


def _end_of_module(tree: ast.Module, node: ast.stmt) -> int:
    """The line after which a new definition stands: constants below the imports, code above a main guard."""
    if not isinstance(node, _DEFINITIONS):
        return _end_of_imports(tree)
    body = [other for other in tree.body if not isinstance(other, ast.If)] or tree.body
    return (body[-1].end_lineno or 0) if body else 0


def _find(parent: ast.Module | ast.ClassDef, name: str) -> ast.stmt | None:
    """Return what has this name in a module or class.

    Raises:
        EditRefused: several have it, as overloads do, so that the name is no place.
    """
    found = [node for node in parent.body if _name_of(node) == name]
    if len(found) > 1:
        raise EditRefused(f"The file defines {name} {len(found)} times; use edit_file.")
    return found[0] if found else None


def _names_of(parent: ast.Module | ast.ClassDef) -> set[str]:
    return {name for node in parent.body if (name := _name_of(node)) is not None}


def _name_of(node: ast.stmt) -> str | None:
    """The name that a statement defines; a property's setter is `name.setter`, apart from its getter."""
    if isinstance(node, _DEFINITIONS):
        roles = [
            decorator.attr
            for decorator in node.decorator_list
            if isinstance(decorator, ast.Attribute) and ast.unparse(decorator.value) == node.name
        ]
        return ".".join([node.name, *roles])
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    is_constant = isinstance(node, ast.Assign | ast.AnnAssign)
    target = targets[0] if is_constant and len(targets) == 1 else None
    return target.id if isinstance(target, ast.Name) else None


def _may_merge(old: ast.ClassDef, given: ast.ClassDef) -> bool:
    """Whether only the members of a class may differ: its head is the same, or was left out."""
    if old.body[0].lineno == old.lineno:
        return False
    heads = [
        [ast.unparse(node) for node in (*each.bases, *each.decorator_list)]
        + [ast.unparse(keyword.value) for keyword in each.keywords]
        for each in (old, given)
    ]
    return not heads[1] or heads[0] == heads[1]


def _first_line(node: ast.stmt) -> int:
    decorators = node.decorator_list if isinstance(node, _DEFINITIONS) else []
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _piece(code: str, node: ast.stmt, *, indent: str = "") -> str:
    """Return the lines of a statement, indented by `indent` in place of its own; no line inside a string moves."""
    first, own = _first_line(node), node.col_offset
    fixed = _string_lines(node)
    lines = _lines(code)[first - 1 : node.end_lineno]
    moved = [
        indent + line[own:] if number not in fixed and line.strip() and not line[:own].strip() else line
        for number, line in enumerate(lines, first)
    ]
    return "".join(moved).rstrip() + "\n"


def _string_lines(node: ast.stmt) -> set[int]:
    """The lines of a statement that begin inside a string; docstrings, whose margin means nothing, left out."""
    docs = {id(other.value) for other in ast.walk(node) if isinstance(other, ast.Expr)}
    return {
        line
        for other in ast.walk(node)
        if isinstance(other, ast.JoinedStr)
        or (isinstance(other, ast.Constant) and isinstance(other.value, str | bytes))
        if id(other) not in docs
        for line in range(other.lineno + 1, (other.end_lineno or other.lineno) + 1)
    }


def _lines(text: str) -> list[str]:
    """The lines as Python counts them: `str.splitlines` also splits at form feeds and their like."""
    return io.StringIO(text, newline="").readlines()
