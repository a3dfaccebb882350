from django.apps import AppConfig


class CodeHealthConfig(AppConfig):
    name = "webapp.codehealth"
