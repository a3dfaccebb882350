"""Pages and JSON go out compressed; what is packed already, archives and images, is left as it is."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

PLAIN = ("text/html", "text/plain", "application/json")


class CompressionMiddleware(GZipMiddleware):
    """Django's own gzip, which hides the length of what it packs (docs/decisions/0005), for text only."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Return the response, compressed if it is a page or JSON that is not streamed."""
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip()
        if response.streaming or kind not in PLAIN:
            return response
        return super().process_response(request, response)
