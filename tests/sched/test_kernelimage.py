"""What is kept of modules in restricted Python: built without anything installed, found again, and dropped when a source changes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from wasmjit.runtime.engine import Engine
from wasmjit.sched import kernelimage
from wasmjit.sched.kernelimage import KITS, ROWS, Kit, build, load, load_image, pack, unpack

BUILD = """
import sys
for name in ("wasmtime", "cffi", "orjson", "fastapi"):
    sys.modules[name] = None
from wasmjit.sched import kernelimage
for kit in kernelimage.KITS:
    open(sys.argv[1] + "/" + kit.name, "wb").write(kernelimage.pack(kernelimage.build(kit)))
"""


def test_images_are_built_without_the_packages_of_a_run(tmp_path: Path) -> None:
    """The installation builds them in an environment of its own, which has setuptools only."""
    subprocess.run([sys.executable, "-c", BUILD, str(tmp_path)], check=True, cwd=kernelimage.PACKAGE.parent)
    for kit in KITS:
        kept = unpack((tmp_path / kit.name).read_bytes())
        assert kept is not None
        assert kept.image == build(kit).image


def test_an_image_of_other_sources_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pack(build(ROWS), b"native")
    kept = unpack(data)
    assert kept is not None
    assert kept.native == b"native"
    assert "sched/rowscan.py" in kept.sources
    changed = kernelimage.digest
    monkeypatch.setattr(kernelimage, "digest", lambda name: "other" if name == "sched/rowscan.py" else changed(name))
    assert unpack(data) is None


def test_a_module_without_file_and_cache_is_compiled() -> None:
    kit = Kit("nowhere", ROWS.sources)
    assert not kit.file.exists()
    kept = load_image(b"", None, kit)
    assert not kept.native
    assert {"scan", "find", "define"} <= load(Engine(), None, kit)[1].exports.keys()
