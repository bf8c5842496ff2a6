"""What a suite consists of: a TSV with a line per design, and the designs beside it or in an archive of the same name."""

from __future__ import annotations

import csv
import tarfile
from pathlib import Path

from wasmjit.data import dataclass

KNOWN = ("sv-tests", "verilator-verification", "yosys", "opentitan")
COLUMNS = ("file", "type", "tags", "should_fail", "tops")


class SuiteError(Exception):
    """A manifest or archive cannot be used; str() says why."""


@dataclass(frozen=True, slots=True)
class Case:
    """One design of a suite. `path`: the file; `name`: its path inside the suite."""

    suite: str
    name: str
    path: Path
    kind: str
    tags: str
    should_fail: bool
    tops: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Suite:
    name: str
    cases: tuple[Case, ...]


def find_manifest(name: str, folder: Path) -> Path:
    """The TSV of a known suite in `folder`, or the file as named. Raises SuiteError."""
    path = Path(name) if name.endswith(".tsv") else folder / f"{name}.tsv"
    if not path.is_file():
        raise SuiteError(f"{path} does not exist; suites are {', '.join(KNOWN)} (--path says where), or give a .tsv manifest with the columns {' '.join(COLUMNS)}")
    return path


def load(name: str, folder: Path, work: Path) -> Suite:
    """Read the manifest and unpack the archive beside it into `work`, if there is one. Raises SuiteError."""
    manifest = find_manifest(name, folder)
    title = manifest.stem
    archive = manifest.with_suffix(".tar.xz")
    root = manifest.parent / title
    if archive.is_file():
        root = work / title
        try:
            with tarfile.open(archive) as tar:
                tar.extractall(work, filter="data")
        except (tarfile.TarError, OSError) as e:
            raise SuiteError(f"{archive}: {e}") from e
    elif not root.is_dir():
        root = manifest.parent
    with manifest.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        missing = set(COLUMNS) - set(reader.fieldnames or ())
        if missing:
            raise SuiteError(f"{manifest}: the columns {', '.join(sorted(missing))} are missing")
        cases = tuple(case(title, row, root) for row in reader)
    absent = [c.name for c in cases if not c.path.is_file()]
    if absent:
        raise SuiteError(f"{manifest}: {len(absent)} files do not exist, for example {absent[0]}")
    return Suite(title, cases)


def case(suite: str, row: dict[str, str | None], root: Path) -> Case:
    text = {k: row.get(k) or "" for k in COLUMNS}
    tops = tuple(t.strip('"') for t in text["tops"].split(",") if t)
    return Case(suite, text["file"], root / text["file"], text["type"], text["tags"], text["should_fail"].strip().lower() in ("yes", "1", "true"), tops)
