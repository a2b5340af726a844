"""llama.cpp's `llama-server` on this machine, in OpenAI's format."""

from __future__ import annotations

from cloudllm import Provider, hookimpl


@hookimpl
def cloudllm_providers() -> list[Provider]:
    """llama.cpp's server; it serves the model it was started with."""
    return [
        Provider(
            name="llama-cpp",
            label="llama.cpp",
            litellm_route="openai",
            api_base="http://127.0.0.1:8080/v1",
            key_env=("LLAMA_CPP_API_KEY",),
            key_optional=True,
            base_env=("LLAMA_CPP_API_BASE",),
            model_list="models",
            start_hint="llama-server -m MODEL.gguf",
            free=True,
        )
    ]
