"""Concurrent assertions: properties as automata that are built on demand (IEEE 1800-2023 §16)."""
