"""Exits when a reply comes."""

import sys

from cloudllm import hookimpl


@hookimpl
def cloudllm_reply(reply):
    """Fail."""
    sys.exit(9)
