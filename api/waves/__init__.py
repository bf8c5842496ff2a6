"""Waveforms for the browser: an index built once per file, and window queries that cost what the window shows."""
