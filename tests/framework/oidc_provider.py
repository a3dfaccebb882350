"""A real OpenID Connect provider on this machine: discovery, authorization code with PKCE, token, user info."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit


@dataclass
class OidcProvider:
    """Who signs in there, and the codes that were given out with the challenge of each."""

    client_id: str = "pyagent"
    client_secret: str = "oidc-secret"
    person: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer_to(self, authorize_url: str) -> dict[str, str]:
        """Return what the provider sends the browser back with: `code` and `state`."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(authorize_url).query).items()}
        assert asked["client_id"] == self.client_id
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked["code_challenge"]
        return {"code": code, "state": asked["state"]}

    def token_for(self, form: dict[str, str]) -> str | None:
        challenge = self.codes.pop(form.get("code", ""), None)
        proof = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if challenge is None or base64.urlsafe_b64encode(proof).rstrip(b"=").decode() != challenge:
            return None
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.client_secret):
            return None
        token = secrets.token_urlsafe(16)
        self.tokens.add(token)
        return token

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/jwks",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }


def _handler_for(provider: OidcProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _reply(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            if self.path == "/.well-known/openid-configuration":
                self._reply(200, provider.discovery())
            elif self.path == "/userinfo":
                token = self.headers.get("Authorization", "").removeprefix("Bearer ")
                self._reply(*((200, provider.person) if token in provider.tokens else (401, {})))
            else:
                self._reply(404, {})

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            token = provider.token_for({name: values[0] for name, values in parse_qs(raw).items()})
            if token is None:
                self._reply(400, {"error": "invalid_grant"})
            else:
                self._reply(200, {"access_token": token, "token_type": "Bearer", "expires_in": 60})

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def serve_oidc() -> Iterator[OidcProvider]:
    """Serve a provider until the end of the block."""
    provider = OidcProvider()
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(provider))
    http.daemon_threads = True
    provider.port = http.server_address[1]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield provider
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def settings_for(provider: OidcProvider) -> dict[str, Any]:
    """Return SOCIALACCOUNT_PROVIDERS as the product's settings make it from OIDC_*."""
    app = {
        "provider_id": "oidc",
        "name": "Single sign-on",
        "client_id": provider.client_id,
        "secret": provider.client_secret,
        "settings": {"server_url": provider.url},
    }
    return {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}


def come_in(client: Any, provider: OidcProvider) -> Any:
    """Sign in with `client` as a browser does; return the last reply."""
    asked = client.post("/accounts/oidc/oidc/login/")
    assert asked.status_code == 302, asked.content[:300]
    return client.get(
        f"/accounts/oidc/oidc/login/callback/?{urlencode(provider.answer_to(asked['Location']))}"
    )
