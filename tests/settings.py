"""Settings of the test run: the product's own, with a home, a Redis and, when asked for, a PostgreSQL of its own.

The servers are started by the fixtures in tests/framework; here only their addresses are fixed, before anything reads them.
"""

import os
import tempfile

if "PYAGENT_TEST_HOME" not in os.environ:
    os.environ["PYAGENT_TEST_HOME"] = tempfile.mkdtemp(prefix="pyagent-tests-")
os.environ["PYAGENT_HOME"] = os.environ["PYAGENT_TEST_HOME"]
# A process of a test that stops its Redis has one of its own.
os.environ["REDIS_URL"] = os.environ.get(
    "PYAGENT_TEST_REDIS_URL", f"unix://{os.environ['PYAGENT_HOME']}/run/redis.sock"
)
if os.environ.get("PYAGENT_TEST_DATABASE") == "postgres":
    from tests.framework.postgres import server_url

    os.environ["DATABASE_URL"] = server_url()

from webapp.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # noqa: F405
    # A file, as in the product: an in-memory database shared by threads locks whole tables at once instead of waiting.
    DATABASES["default"]["TEST"] = {"NAME": f"{os.environ['PYAGENT_HOME']}/test.sqlite3"}  # noqa: F405
# Each client of a test loads the middleware, which would list all static files each time.
WHITENOISE_AUTOREFRESH = True
