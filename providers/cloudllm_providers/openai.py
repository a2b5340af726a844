"""OpenAI, the default provider."""

from __future__ import annotations

from cloudllm import ModelInfo, Provider, hookimpl


@hookimpl
def cloudllm_providers() -> list[Provider]:
    """OpenAI under its own name; `OPEN_AI_SECRET` is the variable of the Rust crate."""
    return [
        Provider(
            name="openai",
            label="OpenAI",
            litellm_route="openai",
            api_base="https://api.openai.com/v1",
            key_env=("OPENAI_API_KEY", "OPEN_AI_SECRET"),
            base_env=("OPENAI_BASE_URL",),
            key_url="https://platform.openai.com/api-keys",
            default_model="gpt-6-luna",
            models=tuple(ModelInfo(name=name) for name in ("gpt-6-luna", "gpt-4.1-nano")),
        )
    ]
