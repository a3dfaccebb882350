from importlib import import_module

from django.apps import AppConfig


class FleetConfig(AppConfig):
    name = "webapp.fleet"

    def ready(self) -> None:
        """Register what this app answers."""
        import_module("webapp.fleet.handlers")
