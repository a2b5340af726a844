"""The hooks of a chat; what `event` and `reply` see is written to $EVERYTHING_LOG as JSON lines."""

import json
import os
from dataclasses import replace
from pathlib import Path

from cloudllm import Command, Refused, Role, hookimpl

cloudllm_api = 1


@hookimpl
def cloudllm_commands():
    """Offer /shout, which sends, and /whisper, which only answers."""
    return [
        Command(name="/shout", summary="send in capitals", run=shout, argument="TEXT"),
        Command(name="/whisper", summary="say it back in small letters", run=whisper),
    ]


def shout(chat, argument):
    """Send a message and tell of the reply."""
    reply = chat.send(argument.upper())
    return f"{len(reply.content)} characters from {chat.model}"


def whisper(chat, argument):
    """Answer without the model."""
    return f"({argument.lower()})"


@hookimpl
def cloudllm_request(request, turn):
    """Veto what is secret, correct what is misspelt, leave the rest."""
    *before, newest = request.messages
    if "secret" in newest.content:
        raise Refused(f"turn {turn.number} mentions a secret", advice="Leave it out")
    if newest.role is Role.USER and "teh" in newest.content:
        content = newest.content.replace("teh", "the")
        return replace(request, messages=(*before, replace(newest, content=content)))
    return None


@hookimpl
def cloudllm_event(event, turn):
    """Note the event's type."""
    _log("event", turn, type(event).__name__)


@hookimpl
def cloudllm_reply(reply, turn):
    """Note the reply."""
    _log("reply", turn, reply.content)


def _log(hook, turn, what):
    line = json.dumps({"hook": hook, "turn": turn.number, "model": turn.model, "what": what})
    with Path(os.environ["EVERYTHING_LOG"]).open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
