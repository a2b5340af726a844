"""Raises at import."""

raise RuntimeError("the faulty plugin was imported\nand said more")
