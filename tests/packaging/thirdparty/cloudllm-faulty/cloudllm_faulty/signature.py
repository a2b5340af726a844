"""Takes a parameter that the hook does not have."""

from cloudllm import hookimpl


@hookimpl
def cloudllm_reply(reply, weather):
    """Never called."""


@hookimpl
def cloudllm_providers(weather):
    """Never called."""
