"""Raises before a request."""

from cloudllm import hookimpl


@hookimpl
def cloudllm_request(request):
    """Fail."""
    raise KeyError("the guard is confused")
