from __future__ import annotations
def verify_region(r):
    return []
def verify(design, deep=False):
    return []
def force_all(design):
    for op in design.root.walk():
        pass
