from __future__ import annotations

from typing import Any

import pytest

from workers.providers.schema import is_closed_schema

TEXT = {"type": "string"}


def closed(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (closed(a=TEXT), True),
        (closed(a=closed(b=TEXT), c={"type": "array", "items": closed()}), True),
        ({"anyOf": [closed(a=TEXT), closed(b=TEXT)]}, True),
        ({"oneOf": [closed(a=TEXT)]}, False),
        ({"type": "object", "properties": {"a": TEXT}, "required": ["a"]}, False),
        ({**closed(a=TEXT), "required": []}, False),
        (closed(a={"type": "array", "items": {"type": "object"}}), False),
        (closed(a={"enum": [{"type": "object"}]}), True),
    ],
)
def test_tells_whether_a_schema_leaves_anything_open(schema: dict[str, Any], expected: bool) -> None:
    assert is_closed_schema(schema) is expected
