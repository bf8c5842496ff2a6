"""Downstream suites: public test suites translated by circt-verilog, run in one or both modes and judged."""

from __future__ import annotations
