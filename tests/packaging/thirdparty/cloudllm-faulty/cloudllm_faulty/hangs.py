"""Hangs at import."""

import threading

threading.Event().wait()
