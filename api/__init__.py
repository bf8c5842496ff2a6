"""The dashboard: a local web server over recorded runs (`wasmjit serve`). `wasmjit_api.main.serve` starts it."""
