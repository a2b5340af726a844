"""Exits at import."""

import sys

sys.exit("goodbye from the faulty plugin")
