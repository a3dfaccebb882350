"""Django's settings. Everything that differs between the shapes comes from the environment; see docs/ARCHITECTURE.md."""

from __future__ import annotations

import os
from pathlib import Path

import dj_database_url
from csp.constants import NONCE, NONE, SELF

from webapp.environment import ensure_home, ensure_secret, home_dir, is_true, read_secret
from workers.queue.connecting import ANSWER_S
from workers.telemetry.logging import configure_logging

BASE_DIR = Path(__file__).resolve().parent.parent
PYAGENT_HOME = home_dir(os.environ)
ensure_home(PYAGENT_HOME)

SECRET_KEY = ensure_secret("PYAGENT_SECRET_KEY", os.environ, PYAGENT_HOME / "keys" / "secret-key")
VAULT_KEY = ensure_secret("PYAGENT_VAULT_KEY", os.environ, PYAGENT_HOME / "keys" / "vault-key")
INTERNAL_TOKEN = ensure_secret("PYAGENT_INTERNAL_TOKEN", os.environ, PYAGENT_HOME / "keys" / "internal-token")
HOST = os.environ.get("PYAGENT_HOST", "127.0.0.1")
PORT = int(os.environ.get("PORT", "8000"))
_SHOWN_HOST = "localhost" if HOST in ("127.0.0.1", "0.0.0.0") else HOST  # noqa: S104 (compared, not bound)
PUBLIC_URL = os.environ.get("PYAGENT_PUBLIC_URL", f"http://{_SHOWN_HOST}:{PORT}")
IS_HTTPS = PUBLIC_URL.startswith("https://")
DEBUG = False

ALLOWED_HOSTS = [
    h for h in os.environ.get("ALLOWED_HOSTS", f"localhost,127.0.0.1,[::1],{HOST}").split(",") if h
]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if IS_HTTPS else []

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "channels",
    "csp",
    "ninja",
    "webapp.events",
    "webapp.accounts",
    "webapp.workspaces",
    "webapp.codehealth",
    "webapp.learning",
    "webapp.agents",
    "webapp.chat",
    "webapp.reviews",
    "webapp.editor",
    "webapp.unattended",
    "webapp.fleet",
    "webapp.realtime",
    "webapp.operations",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "webapp.bundle.StaticFiles",
    "webapp.compression.CompressionMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "webapp.errors.ErrorReplyMiddleware",
    "webapp.realtime.middleware.EventPositionMiddleware",
]

ROOT_URLCONF = "webapp.urls"
ASGI_APPLICATION = "webapp.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["webapp.templatetags.ui"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "csp.context_processors.nonce",
                "webapp.accounts.context.invitation",
                "webapp.workspaces.context.shell",
            ],
        },
    }
]

# --- Rows ------------------------------------------------------------------------------------------------------------
DATABASE_URL = read_secret("DATABASE_URL", os.environ, f"sqlite:///{PYAGENT_HOME / 'pyagent.sqlite3'}")
DATABASES = {"default": dj_database_url.parse(DATABASE_URL, conn_max_age=60, conn_health_checks=True)}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # FULL: with NORMAL a power cut took 938 of 8,901 acknowledged rows. IMMEDIATE: a transaction that reads before it
    # writes would otherwise fail at once, instead of waiting, when another one wrote in between.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-16000;",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Redis -----------------------------------------------------------------------------------------------------------
REDIS_URL = read_secret("REDIS_URL", os.environ, f"unix://{PYAGENT_HOME}/run/valkey.sock")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "pyagent",
        "OPTIONS": {"socket_timeout": ANSWER_S, "socket_connect_timeout": ANSWER_S},
    }
}

# --- People ----------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "webapp.accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_SIGNUP_FORM_CLASS = "webapp.accounts.forms.SignupForm"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[PyAgent] "
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_RATE_LIMITS = {
    "login_failed": "10/m/ip,5/5m/key",
    "reset_password": "20/m/ip,5/m/key",
    "signup": "20/m/ip",
}
# Of X-Forwarded-For only what this many proxies of the operator's own have added is believed; the rest anybody can make up.
ALLAUTH_TRUSTED_PROXY_COUNT = int(os.environ.get("PYAGENT_TRUSTED_PROXIES", "0"))
ACCOUNT_SESSION_REMEMBER = True
SOCIALACCOUNT_ADAPTER = "webapp.accounts.adapter.SocialAdapter"
SOCIALACCOUNT_PROVIDERS = (
    {
        "openid_connect": {
            "OAUTH_PKCE_ENABLED": True,
            "APPS": [
                {
                    "provider_id": "oidc",
                    "name": os.environ.get("OIDC_NAME", "Single sign-on"),
                    "client_id": os.environ.get("OIDC_CLIENT_ID", ""),
                    "secret": read_secret("OIDC_CLIENT_SECRET", os.environ),
                    "settings": {"server_url": os.environ["OIDC_SERVER_URL"]},
                }
            ],
        }
    }
    if os.environ.get("OIDC_SERVER_URL")
    else {}
)
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not IS_HTTPS
MFA_TOTP_ISSUER = "PyAgent"
# Tracking would write a row, with its fsync, on every request.
USERSESSIONS_TRACK_ACTIVITY = False
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# --- Mail: printed to the log unless a server is named -----------------------------------------------------------------
EMAIL_HOST = os.environ.get("EMAIL_HOST", "")
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'console'}.EmailBackend"
EMAIL_PORT = int(os.environ.get("EMAIL_PORT", "587"))
EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = read_secret("EMAIL_HOST_PASSWORD", os.environ)
EMAIL_USE_TLS = is_true(os.environ.get("EMAIL_USE_TLS", "1"))
EMAIL_TIMEOUT = 20
# Where mail goes to the log, nobody but the operator can confirm an address: a second factor does not wait for that.
MFA_ALLOW_UNVERIFIED_EMAIL = not EMAIL_HOST
DEFAULT_FROM_EMAIL = os.environ.get("EMAIL_FROM", "pyagent@localhost")

# --- What leaves the server --------------------------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "worker-src": [SELF, "blob:"],
        "media-src": [SELF, "blob:"],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "webapp.pages.csrf_failure"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
if IS_HTTPS:
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
DATA_UPLOAD_MAX_MEMORY_SIZE = 12 * 1024 * 1024
FILE_UPLOAD_TEMP_DIR = str(PYAGENT_HOME / "uploads")

# --- Static files: built by esbuild with hashed names, served by the app ----------------------------------------------
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_IMMUTABLE_FILE_TEST = r"-[A-Z0-9]{8}\.(js|css)$"
ASSET_MANIFEST = BASE_DIR / "static" / "dist" / "manifest.json"

LANGUAGE_CODE = "en"
USE_TZ = True
TIME_ZONE = "UTC"
LOGGING_CONFIG = None
configure_logging(os.environ.get("PYAGENT_PROCESS", "web"))
SILENCED_SYSTEM_CHECKS = ["account.W001"]
