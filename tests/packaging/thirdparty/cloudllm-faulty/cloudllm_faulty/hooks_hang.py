"""Hangs when a reply comes."""

import threading

from cloudllm import hookimpl


@hookimpl
def cloudllm_reply(reply):
    """Wait for ever."""
    threading.Event().wait()
