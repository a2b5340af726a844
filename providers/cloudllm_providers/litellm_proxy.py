"""A LiteLLM proxy, or any gateway that speaks OpenAI's format: one address for a team."""

from __future__ import annotations

from cloudllm import Provider, hookimpl


@hookimpl
def cloudllm_providers() -> list[Provider]:
    """The proxy on this machine, or where `LITELLM_PROXY_API_BASE` says."""
    return [
        Provider(
            name="litellm-proxy",
            label="LiteLLM proxy",
            litellm_route="litellm_proxy",
            api_base="http://127.0.0.1:4000/v1",
            key_env=("LITELLM_PROXY_API_KEY", "LITELLM_API_KEY"),
            key_optional=True,
            base_env=("LITELLM_PROXY_API_BASE",),
            model_list="models",
            start_hint="litellm --config config.yaml",
        )
    ]
