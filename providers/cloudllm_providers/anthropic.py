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
            key_prefix=("sk-ant-",),
            default_model="claude-sonnet-5-5",
            models=tuple(
                ModelInfo(name=name)
                for name in ("claude-sonnet-5-5", "claude-opus-5-5", "claude-haiku-5-5")
            ),
            model_list="v1/models?limit=1000",
            key_header="x-api-key",
            list_headers={"anthropic-version": "2023-06-01"},
            aliases={
                "sonnet": "claude-sonnet-5-5",
                "opus": "claude-opus-5-5",
                "haiku": "claude-haiku-5-5",
            },
            successors={
                "claude-sonnet-4-5": "claude-sonnet-5-5",
                "claude-sonnet-4-5-20250929": "claude-sonnet-5-5",
                "claude-mythos-preview": "claude-mythos-5-1",
            },
        )
    ]
