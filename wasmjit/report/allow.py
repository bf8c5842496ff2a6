"""Allow-lists of deopts, in the form circt-sim's report summariser uses.

A line is `MODE:TOKEN` with MODE `exact` (default), `prefix` or `regex` (searched anywhere in the token), and TOKEN one of

    reason:REASON                 reason_detail:REASON:DETAIL   (DETAIL `-` when empty)
    process_name:NAME             process_reason:NAME:REASON
    process_id:ID                 process_id_reason:ID:REASON

The kind may also come first: `reason_detail: prefix: missing_thunk:compile_budget`; a regex then has to match the whole value.
Empty lines and lines that begin with `#` are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from wasmjit.data import dataclass, field

MODES = ("exact", "prefix", "regex")
KINDS = ("reason", "reason_detail", "process_name", "process_reason", "process_id", "process_id_reason")


class AllowListError(ValueError):
    """A line of an allow-list cannot be understood; the text names file and line."""


@dataclass(frozen=True, slots=True)
class DeoptRow:
    """A row of `jit_deopt_processes` and the file it comes from."""

    report: str
    process_id: str
    process_name: str
    reason: str
    detail: str

    def tokens(self) -> tuple[str, ...]:
        """What the rules are matched against, in the order of `KINDS`."""
        return (
            f"reason:{self.reason}",
            f"reason_detail:{self.reason}:{self.detail or '-'}",
            f"process_name:{self.process_name}",
            f"process_reason:{self.process_name}:{self.reason}",
            f"process_id:{self.process_id}",
            f"process_id_reason:{self.process_id}:{self.reason}",
        )


@dataclass(slots=True)
class AllowList:
    """Rules with their text; a row is allowed when any rule accepts any of its tokens."""

    rules: list[tuple[str, Callable[[str], bool]]] = field(default_factory=list)

    def allows(self, row: DeoptRow) -> bool:
        """Whether some rule accepts the row."""
        tokens = row.tokens()
        return any(accepts(token) for _, accepts in self.rules for token in tokens)

    def unused(self, rows: list[DeoptRow]) -> list[str]:
        """Rules that accept none of the rows: candidates for removal."""
        return [text for text, accepts in self.rules if not any(accepts(token) for row in rows for token in row.tokens())]


def parse_allow_list(text: str, source: str = "allow-list") -> AllowList:
    """Read the lines of an allow-list. Raises AllowListError."""
    found = AllowList()
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if line and not line.startswith("#"):
            found.rules.append((line, _rule(line, f"{source}:{number}")))
    return found


def _rule(line: str, where: str) -> Callable[[str], bool]:
    first, _, rest = (part.strip() for part in line.partition(":"))
    second, _, tail = (part.strip() for part in rest.partition(":"))
    if first in MODES:
        mode, prefix, pattern = first, "", rest
    elif first in KINDS and second in MODES:
        mode, prefix, pattern = second, f"{first}:", tail
    elif first in KINDS:
        mode, prefix, pattern = "exact", f"{first}:", rest
    else:
        raise AllowListError(f"{where}: expected exact:, prefix: or regex: but got {first!r}")
    if not pattern:
        raise AllowListError(f"{where}: the pattern is empty")
    if mode == "exact":
        return lambda token: token == prefix + pattern
    if mode == "prefix":
        return lambda token: token.startswith(prefix + pattern)
    try:
        compiled = re.compile(re.escape(prefix) + f"(?:{pattern})" if prefix else pattern)
    except re.error as exc:
        raise AllowListError(f"{where}: bad regular expression {pattern!r}: {exc}") from None
    if prefix:
        return lambda token: compiled.fullmatch(token) is not None
    return lambda token: compiled.search(token) is not None
