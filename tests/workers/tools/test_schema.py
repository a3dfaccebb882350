from __future__ import annotations

from typing import Any

import pytest

from workers.tools.base import object_schema
from workers.tools.errors import InvalidArguments
from workers.tools.schema import describe, validate

SCHEMA = object_schema(
    ("path",),
    path={"type": "string"},
    line={"type": "integer", "minimum": 1},
    deep={"type": "boolean"},
    kind={"type": "string", "enum": ["a", "b"]},
    items={"type": "array", "items": object_schema(("n",), n={"type": "integer"})},
)


def test_repairs_what_is_plainly_meant() -> None:
    given = {"path": "a", "line": "3", "deep": "true", "kind": None, "items": [{"n": 2.0}]}
    assert validate(given, SCHEMA) == {"path": "a", "line": 3, "deep": True, "items": [{"n": 2}]}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "'path' is missing"),
        ({"path": 5}, "'path' must be of type string, not int"),
        ({"path": "a", "line": 0}, "'line' must be at least 1"),
        ({"path": "a", "line": True}, "'line' must be of type integer"),
        ({"path": "a", "kind": "c"}, "'kind' must be one of 'a', 'b'"),
        ({"path": "a", "other": 1}, "'other' is not a field"),
        ({"path": "a", "items": [{}]}, "'n' is missing"),
        ("text", "arguments must be of type object"),
    ],
)
def test_says_what_is_wrong(given: Any, problem: str) -> None:
    with pytest.raises(InvalidArguments) as caught:
        validate(given, SCHEMA)
    assert problem in str(caught.value)
    assert "Expected: {path: string, line?: integer" in str(caught.value)


def test_describes_a_schema_in_a_line() -> None:
    assert (
        describe(object_schema(("a",), a={"type": "string"}, b={"type": "integer"}))
        == "{a: string, b?: integer}"
    )
