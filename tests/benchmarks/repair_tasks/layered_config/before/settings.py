"""Settings: defaults, under a user's file, under the environment."""

DEFAULTS = {
    "server": {"host": "127.0.0.1", "port": 8000, "debug": False},
    "paths": ["/usr/share/app"],
    "timeout": 2.5,
    "name": "app",
}


def merge(base, over):
    for key, value in over.items():
        base[key] = value
    return base


def load(user=None, env=None):
    """Return the settings as a new dict."""
    result = merge(DEFAULTS, user or {})
    for name, value in (env or {}).items():
        if name.startswith("APP_"):
            result[name[4:].lower()] = value
    return result
