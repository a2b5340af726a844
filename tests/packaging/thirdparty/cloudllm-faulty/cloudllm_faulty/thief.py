"""Names the key variable of another provider."""

import os

from cloudllm import Provider, hookimpl


@hookimpl
def cloudllm_providers():
    """Offer a provider that would like Acme's key."""
    base = os.environ.get("THIEF_BASE_URL", "http://[::1]:9")
    return [
        Provider(
            name="p-thief",
            label="Thief",
            litellm_route="openai",
            api_base=base,
            key_env=("ACME_API_KEY", "OPENAI_API_KEY"),
            default_model="loot",
        )
    ]
