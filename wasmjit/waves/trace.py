"""Recording signals from their memory images: net id and image in, waveform changes out."""

from __future__ import annotations

from collections.abc import Iterable

from wasmjit.data import dataclass, field, replace
from wasmjit.waves.images import ArrayShape, Decoder, RecordShape, Shape, expand
from wasmjit.waves.model import ScopeDecl, Value, VarDecl, WaveError, WaveWriter


@dataclass(slots=True)
class _Node:
    kind: str = "module"
    variables: list[VarDecl] = field(default_factory=list)
    children: dict[str, _Node] = field(default_factory=dict)

    def freeze(self, name: str) -> ScopeDecl:
        return ScopeDecl(name, self.kind, tuple(self.variables), tuple(child.freeze(key) for key, child in self.children.items()))


class SignalTrace:
    """Maps nets to waveform variables and feeds one or more writers.

    Usage: `add_scope`/`add` everything, `start(writers)`, `record` during the run, `close(time)`. Images of one time step replace each other
    before they are decoded, so a signal that changes in many delta cycles is decoded once per step.
    """

    def __init__(self, array_limit: int = 1024) -> None:
        self._limit = array_limit
        self._root = _Node()
        self._parts: dict[int, list[tuple[int, Decoder]]] = {}
        self._shapes: dict[int, Shape] = {}
        self._ids = 0
        self._writers: list[WaveWriter] = []
        self._time = -1
        self._images: dict[int, bytes] = {}

    def add_scope(self, path: tuple[str, ...], kind: str) -> None:
        """Declare the kind of a scope (module by default; process, begin, fork, function, task)."""
        self._node(path).kind = kind

    def _node(self, path: tuple[str, ...]) -> _Node:
        node = self._root
        for name in path:
            node = node.children.setdefault(name, _Node())
        return node

    def add(
        self, net: int, scope: tuple[str, ...], name: str, shape: Shape, kind: str = "wire", bounds: tuple[int, int] | None = None
    ) -> list[VarDecl]:
        """A name of a net in a scope. A net may have several (ports): they become aliases and must have equal shapes
        (the numbering of array elements may differ).

        `kind` is taken for bit vectors; floats are `real`. `bounds`: declared (left, right) range of the vector or of each element.
        Returns the variables declared, one per array element within the limit.
        """
        if not scope:
            raise WaveError(f"variable {name!r} has no scope")
        if self._shapes.setdefault(net, unnumbered(shape)) != unnumbered(shape):
            raise WaveError(f"net {net} is named {name!r} with another shape than before")
        parts = expand(shape, self._limit)
        if net not in self._parts:
            self._parts[net] = [(self._ids + k, part.decode) for k, part in enumerate(parts)]
            self._ids += len(parts)
        left, right = bounds or (None, None)
        declared = [
            VarDecl(name + part.suffix, "real" if part.real else kind, part.width, var_id, None if part.real else left, None if part.real else right)
            for part, (var_id, _) in zip(parts, self._parts[net], strict=True)
        ]
        self._node(scope).variables.extend(declared)
        return declared

    @property
    def nets(self) -> list[int]:
        """The nets whose changes are wanted."""
        return list(self._parts)

    def scopes(self) -> list[ScopeDecl]:
        """The hierarchy of everything added so far."""
        return [child.freeze(name) for name, child in self._root.children.items()]

    def start(self, *writers: WaveWriter) -> None:
        """Declare the hierarchy to the writers; later changes go to all of them."""
        scopes = self.scopes()
        for writer in writers:
            writer.declare(scopes)
        self._writers.extend(writers)

    def record(self, time_fs: int, images: Iterable[tuple[int, bytes]]) -> None:
        """Images of nets (by id) as they are at this time; nets that were never added are ignored."""
        if time_fs != self._time:
            self._drain()
            self._time = time_fs
        self._images.update(images)

    def _drain(self) -> None:
        if not self._images:
            return
        pairs: list[tuple[int, Value]] = []
        for net, image in self._images.items():
            for var_id, decode in self._parts.get(net, ()):
                pairs.append((var_id, decode(image)))
        self._images = {}
        for writer in self._open_writers():
            writer.changes(self._time, pairs)

    def _open_writers(self) -> list[WaveWriter]:
        # A writer may have been closed by $dumplimit.
        self._writers = [w for w in self._writers if not w.closed]
        return self._writers

    def flush(self) -> None:
        """Hand all recorded changes to the writers and bring their complete steps to the disk."""
        self._drain()
        for writer in self._open_writers():
            writer.flush()

    def close(self, time_fs: int | None = None) -> None:
        """End of the run at `time_fs`."""
        self._drain()
        for writer in self._open_writers():
            writer.close(time_fs)


def unnumbered(shape: Shape) -> Shape:
    """The shape without the index range of its arrays, which belongs to a name and not to the net."""
    match shape:
        case ArrayShape():
            return replace(shape, element=unnumbered(shape.element), first=0, step=1)
        case RecordShape():
            return RecordShape(tuple((name, offset, unnumbered(part)) for name, offset, part in shape.fields))
    return shape
