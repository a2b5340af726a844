"""Implements a hook that does not exist."""

from cloudllm import hookimpl


@hookimpl
def cloudllm_repli(reply):
    """Never called."""


@hookimpl
def cloudllm_provider():
    """Never called."""
