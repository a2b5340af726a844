"""Is written for another version of the hooks."""

from cloudllm import hookimpl

cloudllm_api = 99


@hookimpl
def cloudllm_reply(reply):
    """Never called."""


@hookimpl
def cloudllm_providers():
    """Never called."""
    return []
