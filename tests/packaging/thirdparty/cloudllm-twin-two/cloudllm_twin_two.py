"""A provider, and a command, that another distribution offers too."""

from cloudllm import Command, Provider, hookimpl


@hookimpl
def cloudllm_providers():
    """Offer the twin."""
    return [
        Provider(name="twin", label="Twin two", litellm_route="openai", api_base="http://[::1]:9")
    ]


@hookimpl
def cloudllm_commands():
    """Offer what the other one offers."""
    return [Command(name="/twin", summary="which one it is", run=lambda chat, text: "two")]
