"""Raises whenever something happens."""

from cloudllm import hookimpl


@hookimpl
def cloudllm_event(event):
    """Fail."""
    raise ValueError("no event pleases me")


@hookimpl
def cloudllm_reply(reply):
    """Fail."""
    raise ValueError("no reply pleases me")
