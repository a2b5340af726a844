"""Prints at import, at registration and in hooks: by print, and by file descriptor."""

import os
import sys

from cloudllm import Provider, hookimpl


def noise(where):
    """Make some."""
    print(f"NOISE printed {where}")
    print(f"NOISE complained {where}", file=sys.stderr)
    os.write(1, f"NOISE written {where}\n".encode())
    os.write(2, f"NOISE \x1b[2Jwritten {where}\n".encode())


noise("at import")


@hookimpl
def cloudllm_providers():
    """Offer a provider that would reach nothing."""
    noise("at registration")
    return [
        Provider(name="p-prints", label="Prints", litellm_route="openai", api_base="http://[::1]:9")
    ]


@hookimpl
def cloudllm_commands():
    """Offer none."""
    noise("at registration")
    return []


@hookimpl
def cloudllm_request():
    """Leave the request as it is."""
    noise("in request")


@hookimpl
def cloudllm_reply():
    """Learn nothing."""
    noise("in reply")
