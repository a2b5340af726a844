"""Perplexity's Sonar, models that search the web; the service lists no models."""

from __future__ import annotations

from cloudllm import ModelInfo, Provider, hookimpl


@hookimpl
def cloudllm_providers() -> list[Provider]:
    """Perplexity under its own name."""
    return [
        Provider(
            name="perplexity",
            label="Perplexity",
            litellm_route="perplexity",
            api_base="https://api.perplexity.ai",
            key_env=("PERPLEXITY_API_KEY", "PPLX_API_KEY"),
            base_env=("PERPLEXITY_API_BASE",),
            key_url="https://www.perplexity.ai/settings/api",
            key_prefix=("pplx-",),
            default_model="sonar",
            models=tuple(
                ModelInfo(name=name)
                for name in ("sonar", "sonar-pro", "sonar-reasoning-pro", "sonar-deep-research")
            ),
        )
    ]
