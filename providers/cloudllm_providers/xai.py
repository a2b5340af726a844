"""xAI's Grok, in OpenAI's format."""

from __future__ import annotations

from cloudllm import ModelInfo, Provider, hookimpl


@hookimpl
def cloudllm_providers() -> list[Provider]:
    """xAI; the other two variables are those of the Rust crate."""
    return [
        Provider(
            name="xai",
            label="xAI",
            litellm_route="xai",
            api_base="https://api.x.ai/v1",
            key_env=("XAI_API_KEY", "XAI_KEY", "GROK_API_KEY"),
            base_env=("XAI_API_BASE",),
            key_url="https://console.x.ai",
            key_prefix=("xai-",),
            default_model="grok-4.7",
            models=tuple(ModelInfo(name=name) for name in ("grok-4.7", "grok-4.20", "grok-4.3")),
            model_list="models",
            aliases={"grok": "grok-4.7"},
        )
    ]
