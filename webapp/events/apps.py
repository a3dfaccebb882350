from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class EventsConfig(AppConfig):
    name = "webapp.events"

    def ready(self) -> None:
        """Load every app's `handlers` and `commands`, which register themselves in `webapp.events.registry`."""
        autodiscover_modules("handlers", "commands")
