"""Ollama on this machine, or where `OLLAMA_HOST` says; it serves the models you pulled."""

from __future__ import annotations

from cloudllm import Provider, hookimpl


@hookimpl
def cloudllm_providers() -> list[Provider]:
    """Ollama; alone it means the first model that the running server lists."""
    return [
        Provider(
            name="ollama",
            label="Ollama",
            litellm_route="ollama_chat",
            api_base="http://127.0.0.1:11434",
            key_env=("OLLAMA_API_KEY",),
            key_optional=True,
            base_env=("OLLAMA_HOST", "OLLAMA_API_BASE"),
            metadata="",
            model_list="v1/models",
            start_hint="ollama serve",
        )
    ]
