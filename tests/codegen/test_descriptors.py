"""Compiled code looks at descriptors of the kernel where the kernel has them."""

from __future__ import annotations

import pytest

from wasmjit.codegen import gangs, nets
from wasmjit.sched import control, descriptors


@pytest.mark.parametrize("name", ["N_FAN", "N_DRIVER", "F_SET", "SET_SHIFT", "R_DIRTY", "NF_LISTENED", "NF_SOLE"])
def test_nets(name: str) -> None:
    assert getattr(nets, name) == getattr(descriptors, name)


@pytest.mark.parametrize("name", ["R_CTX", "R_LEVEL", "R_NEXT", "R_DIRTY", "R_ISLAND", "R_EVALS", "R_PENDING", "R_SHIFT", "GANGED"])
def test_gangs(name: str) -> None:
    assert getattr(gangs, name) == getattr(descriptors, name)


def test_the_size_of_a_net_and_the_mark_of_regions_among_drivers() -> None:
    assert 1 << nets.NET_SHIFT == descriptors.N_SIZE
    assert gangs.REGION_DRIVER == control.REGION_DRIVER
