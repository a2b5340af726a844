"""Raises when it is asked for commands; its command of another name would have worked."""

from cloudllm import hookimpl


@hookimpl
def cloudllm_commands():
    """Fail."""
    raise LookupError("no commands today")
