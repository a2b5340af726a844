"""DeepSeek, in OpenAI's format."""

from __future__ import annotations

from cloudllm import ModelInfo, Provider, hookimpl


@hookimpl
def cloudllm_providers() -> list[Provider]:
    """DeepSeek under its own name."""
    return [
        Provider(
            name="deepseek",
            label="DeepSeek",
            litellm_route="deepseek",
            api_base="https://api.deepseek.com/v1",
            key_env=("DEEPSEEK_API_KEY",),
            base_env=("DEEPSEEK_API_BASE",),
            key_url="https://platform.deepseek.com/api_keys",
            default_model="deepseek-flash",
            models=tuple(ModelInfo(name=name) for name in ("deepseek-flash", "deepseek-v4-pro")),
            model_list="models",
            successors={"deepseek-chat": "deepseek-flash", "deepseek-reasoner": "deepseek-flash"},
        )
    ]
