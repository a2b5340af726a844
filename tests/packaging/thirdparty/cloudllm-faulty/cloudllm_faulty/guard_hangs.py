"""Hangs before a request."""

import threading

from cloudllm import hookimpl


@hookimpl
def cloudllm_request(request):
    """Wait for ever."""
    threading.Event().wait()
