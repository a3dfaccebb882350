"""Questions about JSON schemas that providers ask before they promise to obey one."""

from __future__ import annotations

from typing import Any


def is_closed_schema(schema: Any) -> bool:
    """Return whether every object in `schema` forbids further fields and requires all it names.

    OpenAI's strict mode refuses anything else, and `oneOf` too; without strict mode it tries its best.
    Servers that constrain sampling by a grammar obey either way.
    """
    if isinstance(schema, list):
        return all(map(is_closed_schema, schema))
    if not isinstance(schema, dict):
        return True
    if "oneOf" in schema:
        return False
    if schema.get("type") == "object" or "properties" in schema:
        properties = schema.get("properties", {})
        is_closed = schema.get("additionalProperties") is False
        if not is_closed or set(schema.get("required", ())) != set(properties):
            return False
        return all(map(is_closed_schema, properties.values()))
    data = ("enum", "const", "default")
    return all(is_closed_schema(value) for key, value in schema.items() if key not in data)
