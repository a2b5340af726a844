"""vLLM's server on this machine, in OpenAI's format."""

from __future__ import annotations

from cloudllm import Provider, hookimpl


@hookimpl
def cloudllm_providers() -> list[Provider]:
    """vLLM; `VLLM_API_KEY` is the server's own variable, the other two are litellm's."""
    return [
        Provider(
            name="vllm",
            label="vLLM",
            litellm_route="openai",
            api_base="http://127.0.0.1:8000/v1",
            key_env=("VLLM_API_KEY", "HOSTED_VLLM_API_KEY"),
            key_optional=True,
            base_env=("HOSTED_VLLM_API_BASE",),
            model_list="models",
            start_hint="vllm serve MODEL",
            free=True,
        )
    ]
