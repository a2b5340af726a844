"""Conversations and messages as JSON, and back; docs/conversations.md describes the names.

The way out is in `cloudllm.archive`, where exporters reach it: `Archive.as_object`.
"""

from __future__ import annotations

from cloudllm.archivejson.details import message_details, message_of
from cloudllm.archivejson.reading import archive_of, archives_of

__all__ = ("archive_of", "archives_of", "message_details", "message_of")
