"""Groq, fast open models in OpenAI's format."""

from __future__ import annotations

from cloudllm import ModelInfo, Provider, hookimpl


@hookimpl
def cloudllm_providers() -> list[Provider]:
    """Groq under its own name."""
    return [
        Provider(
            name="groq",
            label="Groq",
            litellm_route="groq",
            api_base="https://api.groq.com/openai/v1",
            key_env=("GROQ_API_KEY",),
            base_env=("GROQ_API_BASE",),
            key_url="https://console.groq.com/keys",
            key_prefix=("gsk_",),
            default_model="openai/gpt-oss-120b",
            models=tuple(
                ModelInfo(name=name)
                for name in ("openai/gpt-oss-120b", "openai/gpt-oss-20b", "qwen/qwen3.8-27b")
            ),
            model_list="models",
            successors={"llama-guard-3-8b": "openai/gpt-oss-safeguard-20b"},
        )
    ]
