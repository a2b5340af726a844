"""Mistral, in a format near to OpenAI's."""

from __future__ import annotations

from cloudllm import ModelInfo, Provider, hookimpl


@hookimpl
def cloudllm_providers() -> list[Provider]:
    """Mistral under its own name."""
    return [
        Provider(
            name="mistral",
            label="Mistral",
            litellm_route="mistral",
            api_base="https://api.mistral.ai/v1",
            key_env=("MISTRAL_API_KEY",),
            base_env=("MISTRAL_API_BASE",),
            key_url="https://console.mistral.ai/api-keys",
            default_model="mistral-medium-latest",
            models=tuple(
                ModelInfo(name=name)
                for name in ("mistral-medium-latest", "mistral-large-4", "mistral-small-latest")
            ),
            model_list="models",
            successors={"zai-glm-5-2": "zai-glm-5-3"},
        )
    ]
