"""The embedded model's own process: `python -m workers.inference.server`.

It serves the packaged model through llama.cpp's OpenAI-compatible HTTP server, so that the engine reaches
it as it reaches any other endpoint. Settings: PYAGENT_MODEL_PORT (8091), PYAGENT_MODEL_CONTEXT (tokens of
one conversation, 4096), PYAGENT_MODEL_THREADS (1), PYAGENT_MODEL_FILE (another GGUF file, at the operator's
own risk).
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.config import read_int
from workers.errors import PyAgentError
from workers.inference.model_file import ModelFileMissing, check_model, packaged_model

HOST = "127.0.0.1"
# Two conversations at once: one agent at work must not silence the chat.
SEQUENCES = 2
# Prompts kept in memory for the next turn; llama.cpp's own default is 8 GiB.
PROMPT_CACHE_MIB = 128
# The page answers first, tokens come when there is time.
NICENESS = 10

log = logging.getLogger("workers.inference")


class PortTaken(PyAgentError):
    """Another process listens on the model server's port."""

    code = "port_taken"


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What the model server serves, and where."""

    model: Path
    port: int
    context_tokens: int
    threads: int


def read_settings(env: Mapping[str, str]) -> ServerSettings:
    """Return the settings of `env`, the model checked.

    Raises:
        ConfigError: a number is none.
        ModelFileMissing, ModelFileCorrupt: there is nothing to serve.
    """
    if chosen := env.get("PYAGENT_MODEL_FILE"):
        model = Path(chosen)
        if not model.is_file():
            raise ModelFileMissing(f"PYAGENT_MODEL_FILE names no file: {chosen}", file_name=model.name)
    else:
        model = packaged_model()
        check_model(model)
    return ServerSettings(
        model=model,
        port=read_int("PYAGENT_MODEL_PORT", env, 8091),
        context_tokens=read_int("PYAGENT_MODEL_CONTEXT", env, 4096),
        # A second thread made decoding slower on two shared cores: 2.7 against 49 tokens/s, ggml's threads
        # spin.
        threads=read_int("PYAGENT_MODEL_THREADS", env, 1),
    )


def build_params(settings: ServerSettings) -> Any:
    """Return llama.cpp's parameters for `settings`."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(settings.model)
    params.model_alias = {settings.model.name.split(".")[0]}
    params.hostnames = [HOST]
    params.port = settings.port
    params.n_parallel = SEQUENCES
    params.n_ctx = settings.context_tokens * SEQUENCES
    params.cpuparams.n_threads = settings.threads
    params.cpuparams_batch.n_threads = settings.threads
    params.n_gpu_layers = 0
    params.cache_ram_mib = PROMPT_CACHE_MIB
    params.verbosity = 1
    # Only the API, and no web page of another origin may read its answers.
    params.ui = False
    params.endpoint_slots = False
    params.cors_origins = ""
    return params


def check_port(port: int) -> None:
    """Raise PortTaken when nobody could listen on `port` now; llama.cpp itself only says that it failed."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            message = f"port {port} cannot be used: {error.strerror}; PYAGENT_MODEL_PORT moves it"
            raise PortTaken(message, port=port) from error


def serve(settings: ServerSettings) -> None:
    """Load the model, serve it, and end with the process on SIGTERM or SIGINT."""
    import xllamacpp

    # Nothing is kept here, so stopping needs no farewell; llama.cpp's own would first finish what it
    # computes.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    check_port(settings.port)
    os.nice(NICENESS)
    started = time.monotonic()
    log.info("model loading model=%s", settings.model.name)
    server = xllamacpp.Server(build_params(settings))
    log.info("model ready url=%s/v1 after_s=%.1f", server.listening_address, time.monotonic() - started)
    while True:
        signal.pause()


def main() -> int:
    """Serve until stopped; return the exit code when that cannot begin."""
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
    try:
        serve(read_settings(os.environ))
    except PyAgentError as error:
        log.error("model server cannot start code=%s reason=%s", error.code, error)
        return 1
    except RuntimeError as error:
        log.error("model server cannot start reason=%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
