"""Fixtures for every test; each is written where its subject is, in tests/framework."""

pytest_plugins = [
    "tests.framework.emptying",
    "tests.framework.redis",
    "tests.framework.engine_relay",
    "tests.framework.agent_bench",
    "tests.framework.people",
    "tests.framework.stack",
    "tests.framework.sources",
    "tests.framework.web",
    "tests.framework.provider_double.fixtures",
]
