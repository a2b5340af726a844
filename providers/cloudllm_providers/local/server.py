"""The model's process: llama.cpp's own HTTP server on a free loopback port, until its parent ends.

A process of its own, because loading a model in ours would hold the interpreter lock (a frozen
prompt for seconds) and a crash of the native code would take the chat along. It is run as a script,
with standard library and engine only: one JSON object in, one out, then it serves until its
standard input closes, however its parent ended.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import sys
import tempfile
import time
from importlib import import_module
from typing import IO, Any

_ERRORS_ONLY = 1
_LOOKS = 20
_COMPLAINT = re.compile(r"^[\d.]+ E (?:\w+: +)*(?:error loading model: )?(.+)\n", re.MULTILINE)


def main() -> None:
    """Read the order, load, answer, serve. Leaves by `_exit`: the destructors may hang or crash."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    order = json.loads(sys.stdin.buffer.readline())
    with os.fdopen(os.dup(1), "w") as answer, tempfile.TemporaryFile() as log:
        for descriptor in (1, 2):
            os.dup2(log.fileno(), descriptor)
        try:
            server = _load(order)
            reply = {"address": server.listening_address}
            reply["context"] = _context(server.listening_address, order["key"])
        except Exception as error:  # noqa: BLE001 - whatever it is goes to the parent, in one line
            reply = {"error": _reason(log, error)}
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - the shorter form
            for descriptor in (1, 2):
                os.dup2(nowhere.fileno(), descriptor)
        answer.write(json.dumps(reply) + "\n")
    sys.stdin.buffer.read()
    os._exit(0)


def _load(order: dict[str, Any]) -> Any:  # noqa: ANN401 - the engine has no types
    engine = import_module("xllamacpp")
    params = engine.CommonParams()
    params.model.path = order["path"]
    params.n_ctx = order["context"]
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = order["threads"]
    params.api_keys = [order["key"]]
    params.port = 0
    params.verbosity = _ERRORS_ONLY
    params.offline = True
    params.ui = params.endpoint_slots = False
    params.cache_ram_mib = 0  # else old prompts are kept in up to 8 GB of memory
    return engine.Server(params)


def _context(address: str, key: str) -> int:
    """The context the server really has: never more than the model was trained for."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"))
    connection.request("GET", "/props", headers={"Authorization": f"Bearer {key}"})
    props = json.loads(connection.getresponse().read())
    connection.close()
    return int(props["default_generation_settings"]["n_ctx"])


def _reason(log: IO[bytes], error: Exception) -> str:
    """What llama.cpp complained of first; the lines after it only pass it on."""
    for _ in range(_LOOKS):
        log.seek(0)
        found = _COMPLAINT.search(log.read().decode(errors="replace"))
        if found:
            return " ".join(found[1].split())
        time.sleep(0.05)  # a thread of llama.cpp's writes its log
    return " ".join(str(error).split())


if __name__ == "__main__":
    main()
