"""Settings: defaults, under a user's file, under the environment."""

import copy

DEFAULTS = {
    "server": {"host": "127.0.0.1", "port": 8000, "debug": False},
    "paths": ["/usr/share/app"],
    "timeout": 2.5,
    "name": "app",
}


def merge(base, over):
    result = copy.deepcopy(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def convert(text, default):
    if isinstance(default, bool):
        if text.lower() in ("1", "true", "yes", "on"):
            return True
        if text.lower() in ("0", "false", "no", "off"):
            return False
        raise ValueError(f"not a boolean: {text}")
    return type(default)(text)


def load(user=None, env=None):
    """Return the settings as a new dict."""
    result = merge(DEFAULTS, user or {})
    for name, value in (env or {}).items():
        if not name.startswith("APP_"):
            continue
        *tables, key = name[4:].lower().split("__")
        default, target = DEFAULTS, result
        for table in tables:
            default = default.get(table) if isinstance(default, dict) else None
            target = target.get(table) if isinstance(target, dict) else None
        is_known = isinstance(default, dict) and isinstance(target, dict) and key in default
        if is_known and not isinstance(default[key], (dict, list)):
            target[key] = convert(value, default[key])
    return result
