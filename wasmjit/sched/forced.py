"""Forced deopts: which activations of compiled code are handed to the interpreter on request (`--force-deopt`)."""

from __future__ import annotations

from fnmatch import fnmatchcase

from wasmjit.data import dataclass, field

ACCEPTED = "all, once, every:N with N of at least 1, or process:NAME"


@dataclass(slots=True)
class ForcedDeopts:
    """A parsed request.

    `interval`: every n-th activation of any process (1: all of them, 0: none). `once`: the first one only. `pattern`: name or glob of the processes
    whose every activation is handed over, "" if the request is not about names.
    """

    interval: int = 0
    once: bool = False
    pattern: str = ""
    _matches: dict[str, bool] = field(default_factory=dict)

    @classmethod
    def parse(cls, spec: str) -> ForcedDeopts:
        """Raises ValueError with the text that was not understood."""
        if spec == "":
            return cls()
        if spec == "all":
            return cls(interval=1)
        if spec == "once":
            return cls(interval=1, once=True)
        kind, colon, rest = spec.partition(":")
        if kind == "every" and colon and rest.isdecimal() and int(rest) >= 1:
            return cls(interval=int(rest))
        if kind == "process" and rest:
            return cls(pattern=rest)
        raise ValueError(spec)

    @property
    def countdown(self) -> bool:
        """Whether activations are counted, whoever they belong to."""
        return self.interval > 0

    def wants(self, name: str) -> bool:
        """Whether a process of this name is meant by `pattern`."""
        got = self._matches.get(name)
        if got is None:
            got = self._matches[name] = name == self.pattern or fnmatchcase(name, self.pattern)
        return got

    @property
    def unmatched(self) -> bool:
        """Whether a pattern was given that no compiled process matched so far."""
        return bool(self.pattern) and not any(self._matches.values())
