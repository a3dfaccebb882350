from importlib import import_module

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "webapp.agents"

    def ready(self) -> None:
        """Register what this app answers."""
        import_module("webapp.agents.handlers")
