"""From a stream of foreign text to rows that are safe to show on a terminal."""
