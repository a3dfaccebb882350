"""A collector that speaks OTLP over HTTP with protobuf, as the real ones do, and keeps the spans that it was sent."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class Collector:
    """Where spans arrive: as dicts with name, trace_id, span_id, parent_id (hex), kind, status, attributes, service."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []
        self.endpoint = ""

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            facts = {item.key: _value(item.value) for item in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [_span(span) | {"service": facts["service.name"]} for span in scope.spans]

    def wait_for(self, name: str, *, timeout_s: float = 20.0) -> dict[str, Any]:
        """Return the first span of this name when it has come."""
        deadline = time.monotonic() + timeout_s
        while (found := next((span for span in list(self.spans) if span["name"] == name), None)) is None:
            if time.monotonic() > deadline:
                raise AssertionError(f"only {[span['name'] for span in self.spans]} after {timeout_s} s")
            time.sleep(0.02)
        return found


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind)


def _span(span: Any) -> dict[str, Any]:
    return {
        "name": span.name,
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_id": span.parent_span_id.hex(),
        "kind": span.kind,
        "status": span.status.code,
        "ns": span.end_time_unix_nano - span.start_time_unix_nano,
        "attributes": {item.key: _value(item.value) for item in span.attributes},
    }


@contextmanager
def running_collector() -> Iterator[Collector]:
    """A collector on a free port of this machine."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Say nothing: the tests look at what arrived."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()
