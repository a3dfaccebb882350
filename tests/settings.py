"""Settings of the test run: the product's own, with a home of its own for each run."""

import os
import tempfile

os.environ.setdefault("PYAGENT_HOME", tempfile.mkdtemp(prefix="pyagent-tests-"))
from webapp.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
