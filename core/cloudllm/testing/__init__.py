"""For tests of plugins and of cloudllm itself: a scripted provider on the loopback interface."""

from __future__ import annotations

from cloudllm.testing.server import Received, Reply, WireServer

__all__ = ("Received", "Reply", "WireServer")
