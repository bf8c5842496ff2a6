"""wasmjit: a simulator for CIRCT designs that compiles process bodies to WebAssembly."""

__version__ = "0.1.0"
