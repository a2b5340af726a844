"""The line about a model that its provider shuts down, or has shut down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cloudllm.provider import ModelInfo

_SOON = timedelta(days=30)
"""How long before its end a model's retirement is told."""


def retirement_notice(info: ModelInfo, provider: str, successor: str | None) -> str | None:
    """That the provider has shut the model down or soon will, and what it suggests instead."""
    today = datetime.now(UTC).date()
    if info.retires is None or info.retires > today + _SOON:
        return None
    when = "was" if info.retires <= today else "will be"
    instead = f"{provider} suggests {successor}" if successor else "cloudllm models lists others"
    return f"{info.name} {when} retired on {info.retires}; {instead}"
