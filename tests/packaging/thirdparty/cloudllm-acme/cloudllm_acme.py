"""Acme AI: a whole provider plugin."""

from cloudllm import Provider, hookimpl


@hookimpl
def cloudllm_providers():
    return [
        Provider(
            name="acme",
            label="Acme AI",
            litellm_route="openai",
            api_base="https://api.acme.example/v1",
            base_env=("ACME_BASE_URL",),
            key_env=("ACME_API_KEY",),
            default_model="acme-1",
            key_url="https://acme.example/keys",
        )
    ]
