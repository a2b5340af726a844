"""OpenRouter, one key for the models of many providers."""

from __future__ import annotations

from cloudllm import ModelInfo, Provider, hookimpl


@hookimpl
def cloudllm_providers() -> list[Provider]:
    """OpenRouter; its models are named `openrouter/MAKER/MODEL`, and `auto` chooses one."""
    return [
        Provider(
            name="openrouter",
            label="OpenRouter",
            litellm_route="openrouter",
            api_base="https://openrouter.ai/api/v1",
            key_env=("OPENROUTER_API_KEY", "OPENROUTER_KEY"),
            base_env=("OPENROUTER_API_BASE",),
            key_url="https://openrouter.ai/settings/keys",
            key_prefix=("sk-or-",),
            default_model="openrouter/auto",
            models=(ModelInfo(name="openrouter/auto"),),
            model_list="models",
            aliases={"auto": "openrouter/auto"},
            params={"extra_headers": {"HTTP-Referer": "", "X-Title": "cloudllm"}},
        )
    ]
