from django.apps import AppConfig


class UnattendedConfig(AppConfig):
    name = "webapp.unattended"
