"""LM Studio's server on this machine, in OpenAI's format."""

from __future__ import annotations

from cloudllm import Provider, hookimpl


@hookimpl
def cloudllm_providers() -> list[Provider]:
    """LM Studio; `LM_API_TOKEN` is the variable of its own libraries."""
    return [
        Provider(
            name="lm-studio",
            label="LM Studio",
            litellm_route="openai",
            api_base="http://127.0.0.1:1234/v1",
            key_env=("LM_API_TOKEN", "LM_STUDIO_API_KEY"),
            key_optional=True,
            base_env=("LM_STUDIO_API_BASE",),
            model_list="models",
            start_hint="lms server start",
            free=True,
        )
    ]
