"""Needs a package that is not installed."""

import acme_private_sdk  # noqa: F401 - that it is missing is the point
