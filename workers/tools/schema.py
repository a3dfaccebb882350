"""Holds a tool call's arguments to the tool's JSON schema and says in plain words what is wrong.

Models that are almost right are helped: a whole number that came as text is taken as the number. Only the
part of JSON Schema that tools use is known here (type, properties, required, items, enum, minimum, maximum,
additionalProperties).
"""

from __future__ import annotations

from typing import Any

from workers.tools.errors import InvalidArguments

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def validate(arguments: Any, schema: dict[str, Any]) -> dict[str, Any]:
    """Return `arguments`, repaired where their meaning is plain.

    Raises:
        InvalidArguments: they do not fit; the text names every field that is wrong and what is expected.
    """
    problems: list[str] = []
    value = _check(arguments, schema, "arguments", problems)
    if problems:
        raise InvalidArguments("; ".join(problems) + ". Expected: " + describe(schema), problems=problems)
    fitting: dict[str, Any] = value
    return fitting


def describe(schema: dict[str, Any]) -> str:
    """Return a one-line form of an object schema: `{path: string, start_line?: integer}`."""
    required = schema.get("required", ())
    fields = (
        f"{name}{'' if name in required else '?'}: {field.get('type', 'any')}"
        for name, field in schema.get("properties", {}).items()
    )
    return "{" + ", ".join(fields) + "}"


def _check(value: Any, schema: dict[str, Any], where: str, problems: list[str]) -> Any:
    kind = schema.get("type")
    if kind is not None:
        value = _repair(value, kind)
        if not isinstance(value, _TYPES[kind]) or (kind in ("integer", "number") and isinstance(value, bool)):
            problems.append(f"{where} must be of type {kind}, not {type(value).__name__}")
            return value
    if "enum" in schema and value not in schema["enum"]:
        problems.append(f"{where} must be one of {', '.join(map(repr, schema['enum']))}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        _check_range(value, schema, where, problems)
    if isinstance(value, dict):
        return _check_object(value, schema, where, problems)
    if isinstance(value, list) and "items" in schema:
        return [
            _check(item, schema["items"], f"{where}[{index}]", problems) for index, item in enumerate(value)
        ]
    return value


def _check_range(value: float, schema: dict[str, Any], where: str, problems: list[str]) -> None:
    if "minimum" in schema and value < schema["minimum"]:
        problems.append(f"{where} must be at least {schema['minimum']}")
    if "maximum" in schema and value > schema["maximum"]:
        problems.append(f"{where} must be at most {schema['maximum']}")


def _check_object(
    value: dict[str, Any], schema: dict[str, Any], where: str, problems: list[str]
) -> dict[str, Any]:
    properties = schema.get("properties", {})
    # An explicit null for an optional field is how some models leave it out.
    given = {
        name: item for name, item in value.items() if item is not None or name in schema.get("required", ())
    }
    problems.extend(f"'{name}' is missing" for name in schema.get("required", ()) if name not in given)
    if schema.get("additionalProperties") is False:
        problems.extend(f"'{name}' is not a field" for name in given if name not in properties)
    return {
        name: _check(item, properties[name], f"'{name}'", problems) if name in properties else item
        for name, item in given.items()
    }


def _repair(value: Any, kind: str) -> Any:
    if kind == "integer" and isinstance(value, str) and value.strip().lstrip("-").isdecimal():
        return int(value)
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind == "boolean" and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    return value
