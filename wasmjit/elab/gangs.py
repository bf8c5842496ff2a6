"""Gangs: register groups of many instances that the same clock wakes are evaluated as one.

When a clock changes, every register group behind it samples, and one delta later those that differ commit. Each as a region of its own costs an entry of fan-out, a
place in a bucket and, for the commit, a record. A gang has one of each: the kernel goes through its regions in the order in which they would have been evaluated
one by one, so nothing else changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wasmjit.data import dataclass

if TYPE_CHECKING:
    from wasmjit.elab.design import RegionInstance

LONG_RUN = 4
"""Instances from which on a body gets code for all of them."""


@dataclass(frozen=True, slots=True)
class Gang:
    """Numbers of the regions, in order; the nets that wake them (none: commits, which `k_commit` asks for) and the filter of those entries of fan-out."""

    regions: list[int]
    inputs: tuple[int, ...]
    edge: int


def form_gangs(regions: Sequence[RegionInstance]) -> list[Gang]:
    """The gangs of a design: of at least two regions each."""
    commits = {(r.instance.index, r.region.commit_cell): i for i, r in enumerate(regions) if r.region.commit}
    runs: list[Gang] = []
    open_run: dict[int, Gang] = {}
    """By net: the run that the next region may join. A region in between that the net wakes too ends it, so that the order stays as it was."""
    for i, r in enumerate(regions):
        if not r.region.sequential:
            continue
        inputs = tuple(dict.fromkeys(r.inputs))
        if not inputs:
            continue
        run = open_run.get(inputs[0])
        if r.region.group is None and run is not None and run.inputs == inputs and run.edge == r.region.edge and all(open_run.get(net) is run for net in inputs):
            run.regions.append(i)
            continue
        for net in inputs:
            known = open_run.pop(net, None)
            for other in known.inputs if known is not None else ():
                open_run.pop(other, None)
        if r.region.group is None:
            run = Gang([i], inputs, r.region.edge)
            runs.append(run)
            open_run.update(dict.fromkeys(inputs, run))
    out: list[Gang] = []
    for run in runs:
        followers = [commits.get((regions[i].instance.index, regions[i].region.commit_cell)) for i in run.regions]
        due = [i for i in followers if i is not None]
        for members, inputs in ((run.regions, run.inputs), (due, ())):
            out += [Gang(part, inputs, run.edge if inputs else 0) for part in alike(members, regions) if len(part) > 1]
    return out


def alike(members: list[int], regions: Sequence[RegionInstance]) -> list[list[int]]:
    """Cut a list so that long runs of one body are on their own: compiled code goes through those by itself."""
    runs: list[list[int]] = []
    for i in members:
        if runs and regions[runs[-1][0]].region.body is regions[i].region.body:
            runs[-1].append(i)
        else:
            runs.append([i])
    out: list[list[int]] = []
    mixed = False
    for run in runs:
        short = len(run) < LONG_RUN
        if short and mixed:
            out[-1] += run
        else:
            out.append(run)
        mixed = short
    return out
