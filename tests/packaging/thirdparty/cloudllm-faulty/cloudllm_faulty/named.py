"""Offers a provider of another name than the entry point's; `nothing` is no click command."""

from cloudllm import Provider, hookimpl

nothing = 42


@hookimpl
def cloudllm_providers():
    """Offer the wrong one."""
    return [Provider(name="somebody-else", label="Somebody else", litellm_route="openai")]
