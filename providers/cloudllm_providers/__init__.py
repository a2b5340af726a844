"""Bundled providers, one module each; they load exactly as third-party ones do."""
