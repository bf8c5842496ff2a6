"""Every design of the corpora reads with all bodies, verifies, and comes back from the generic form."""

from __future__ import annotations

import re
from pathlib import Path

from ir_corpus import corpus_files, shape, suite_texts

from wasmjit.ir import IRError, parse_file, parse_text, print_generic, verify
from wasmjit.ir.reader import decode

_NOT = re.compile(rb"RUN:.*\bnot\b")


def expects_failure(data: bytes) -> bool:
    """Whether the test in the file is about a run that fails; such a design may be invalid."""
    return _NOT.search(data) is not None


def test_corpus_reads_and_verifies(shared: Path) -> None:
    failures = []
    files = [p for p in corpus_files(shared) if p.name != "avip_apb.mlir.gz"]
    assert len(files) > 500
    for path in files:
        try:
            design = parse_file(path).force()
            found = verify(design)
            failures += [d.render() for d in found]
        except IRError as e:
            if not expects_failure(path.read_bytes()):
                failures.append(str(e))
    assert not failures, "\n".join(failures[:10])


def test_suites_read_and_verify(shared: Path) -> None:
    failures, count = [], 0
    for name, data in suite_texts(shared):
        count += 1
        try:
            parse_text(decode(data, name), name).force()
        except IRError as e:
            failures.append(str(e))
    assert count > 1000
    assert not failures, "\n".join(failures[:10])


def test_corpus_comes_back_from_the_generic_form(shared: Path) -> None:
    # Every seventh file keeps the test short; all kinds of files are among them.
    for path in [p for p in corpus_files(shared) if p.suffix == ".mlir"][::7]:
        design = parse_file(path).force()
        text = print_generic(design)
        again = parse_text(text, f"{path.name} (generic)").force()
        assert shape(again.root) == shape(design.root), path
        assert print_generic(again) == text, path


def test_large_design_gives_its_symbols_without_reading_bodies(shared: Path) -> None:
    design = parse_file(shared / "designs" / "uvm_config_db.mlir.gz")
    assert len(design.symbols) == 10376
    forced = [name for name, op in design.symbols.items() if op.name in ("func.func", "hw.module") and any(r.forced for r in op.regions)]
    assert forced == []
