"""Anthropic, over its own messages format."""

from __future__ import annotations

from cloudllm import ModelInfo, Provider, hookimpl


@hookimpl
def cloudllm_providers() -> list[Provider]:
    """Anthropic under its own name; the other variables are those of the Rust crate."""
    return [
        Provider(
            name="anthropic",
            label="Anthropic",
            litellm_route="anthropic",
            api_base="https://api.anthropic.com",
            key_env=("ANTHROPIC_API_KEY", "ANTHROPIC_KEY", "CLAUDE_API_KEY"),
            base_env=("ANTHROPIC_BASE_URL",),
            key_url="https://console.anthropic.com/settings/keys",
            default_model="claude-sonnet-5-5",
            models=tuple(
                ModelInfo(name=name)
                for name in ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")
            ),
        )
    ]
