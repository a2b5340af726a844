"""Refuses to send a message that holds a private key or a well-known kind of access token."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cloudllm import Refused, Request, Role, TurnInfo, hookimpl

_FORMATS = {
    "a private key": (
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
        r"(?:\\[nr]|\s|[A-Za-z-]+: [^\n]{0,200}\n){0,50}([A-Za-z0-9+/]{32})"
    ),
    "an AWS access key id": r"\b(?:AKIA|ASIA)(?![A-Z0-9]*EXAMPLE\b)([A-Z0-9]{16})\b",
    "an AWS secret access key": (
        r"(?i)aws.?secret.?access.?key\W{1,8}(?![a-z0-9/+]*EXAMPLE)([a-z0-9/+]{40})(?![a-z0-9/+])"
    ),
    "a GitHub token": r"\b(?:gh[opsur]_|github_pat_)([A-Za-z0-9_]{36,})",
    "a Slack token": r"\b(?:xox[abeoprs]|xapp)-([A-Za-z0-9-]{20,})",
    "an Anthropic key": r"\bsk-ant-([A-Za-z0-9_-]{24,})",
    "an OpenAI-style key": r"\bsk-(?!ant-)(?:[a-z0-9]+-){0,2}([A-Za-z0-9_]{20}[A-Za-z0-9_-]{12,})",
}
"""What each kind looks like; the group is the secret part."""

_PATTERNS = {kind: re.compile(pattern) for kind, pattern in _FORMATS.items()}
_VARIETY = 8
"""Different characters that a real secret has at least; a placeholder repeats a few."""


@hookimpl(trylast=True)  # after the plugins that change what goes out
def cloudllm_request(request: Request, turn: TurnInfo) -> None:  # noqa: ARG001 - the hook's signature
    """Refuse the request if the newest user message brings a secret; it is never repeated."""
    texts = (each.content for each in reversed(request.messages) if each.role is Role.USER)
    found = next(_secrets(next(texts, "")), None)
    if found is not None:
        kind, line = found
        raise Refused(
            f"guard: nothing was sent, since line {line} of the message holds {kind}",
            advice='Take it out; to send such messages anyway: plugins.deny = ["guard"]',
        )


def _secrets(text: str) -> Iterator[tuple[str, int]]:
    """What kind of secret stands at which line, from 1."""
    for kind, pattern in _PATTERNS.items():
        for match in pattern.finditer(text):
            if len(set(match[1])) >= _VARIETY:
                yield kind, text.count("\n", 0, match.start()) + 1
