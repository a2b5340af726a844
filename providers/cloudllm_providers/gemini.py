"""Google's Gemini, with a key of Google AI Studio, over its own format."""

from __future__ import annotations

from datetime import date

from cloudllm import KnownGap, ModelInfo, Provider, hookimpl


@hookimpl
def cloudllm_providers() -> list[Provider]:
    """Gemini under its own name; `GEMINI_KEY` is the variable of the Rust crate."""
    return [
        Provider(
            name="gemini",
            label="Google Gemini",
            litellm_route="gemini",
            api_base="https://generativelanguage.googleapis.com/v1beta",
            key_env=("GEMINI_API_KEY", "GOOGLE_API_KEY", "GEMINI_KEY"),
            base_env=("GEMINI_API_BASE",),
            key_url="https://aistudio.google.com/apikey",
            key_prefix=("AIza",),
            default_model="gemini-3.8-flash",
            models=tuple(
                ModelInfo(name=name)
                for name in ("gemini-3.8-flash", "gemini-4-argon", "gemini-3.5-flash-lite")
            ),
            model_list="models?pageSize=1000",
            key_header="x-goog-api-key",
            successors={
                "gemini-3.1-flash-lite-preview": "gemini-3.5-flash-lite",
                "gemini-omni-flash-preview": "gemini-omni-1.1-flash",
                "deep-research-pro-preview-12-2025": "deep-research-preview-04-2026",
            },
            known_gaps=(
                KnownGap(
                    item="parameters",
                    reason="litellm sends the temperature 1.0, Google's own default, if none is set",
                    since=date(2026, 11, 22),
                ),
            ),
        )
    ]
