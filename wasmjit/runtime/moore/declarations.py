"""Declarations of the functions that are compiled with the kernel (`wasmjit.sched.library`)."""

from __future__ import annotations

COMPILED: dict[str, tuple[str, str]] = {
    "__moore_string_len": ("p", "i"),
    "__moore_string_concat": ("pp", "pl"),
    "__moore_string_replicate": ("pi", "pl"),
    "__moore_string_cmp": ("pp", "i"),
    "__moore_string_compare": ("pp", "i"),
    "__moore_string_icompare": ("pp", "i"),
    "__moore_string_toupper": ("p", "pl"),
    "__moore_string_tolower": ("p", "pl"),
    "__moore_string_getc": ("pi", "c"),
    "__moore_string_putc": ("pic", "pl"),
    "__moore_string_substr": ("pii", "pl"),
    "__moore_string_atoi": ("p", "i"),
    "__moore_string_atohex": ("p", "i"),
    "__moore_string_atooct": ("p", "i"),
    "__moore_string_atobin": ("p", "i"),
    "__moore_string_to_int": ("p", "l"),
    "__moore_packed_string_to_string": ("l", "pl"),
    "__moore_string_itoa": ("l", "pl"),
    "__moore_int_to_string": ("l", "pl"),
    "__moore_string_hextoa": ("l", "pl"),
    "__moore_string_hextoa_width": ("li", "pl"),
    "__moore_string_octtoa": ("l", "pl"),
    "__moore_string_bintoa": ("l", "pl"),
    "__moore_string_chartoa": ("l", "pl"),
    "__moore_queue_create": ("l", "p"),
    "__moore_queue_push_back": ("ppl", ""),
    "__moore_queue_push_front": ("ppl", ""),
    "__moore_queue_pop_back": ("pl", "l"),
    "__moore_queue_pop_front": ("pl", "l"),
    "__moore_queue_pop_back_ptr": ("ppl", ""),
    "__moore_queue_pop_front_ptr": ("ppl", ""),
    "__moore_queue_clear": ("p", ""),
    "__moore_queue_delete_index": ("pil", ""),
    "__moore_queue_insert": ("pipl", ""),
    "__moore_queue_size": ("l", "i"),
    "__moore_queue_concat": ("pll", "pl"),
    "__moore_queue_slice": ("plll", "pl"),
    "__moore_dyn_array_new": ("i", "pl"),
    "__moore_dyn_array_new_copy_bytes": ("ipl", "pl"),
    "__moore_assoc_create": ("ii", "p"),
    "__wasmjit_assoc_make": ("pii", "p"),
    "__moore_assoc_size": ("p", "l"),
    "__moore_assoc_exists": ("pp", "i"),
    "__moore_assoc_get_ref": ("ppi", "p"),
    "__moore_assoc_delete": ("p", ""),
    "__moore_assoc_delete_key": ("pp", ""),
    "__moore_assoc_first": ("pp", "b"),
    "__moore_assoc_last": ("pp", "b"),
    "__moore_assoc_next": ("pp", "b"),
    "__moore_assoc_prev": ("pp", "b"),
    "__moore_assoc_copy_into": ("pp", ""),
    "__moore_assoc_copy": ("p", "p"),
    "malloc": ("l", "p"),
    "calloc": ("ll", "p"),
    "realloc": ("pl", "p"),
    "free": ("p", ""),
}
"""Name: letters of parameters and results (`services`)."""

PAIRS = frozenset(n for n, (_, results) in COMPILED.items() if results == "pl")
"""Those that give a `{ptr, i64}`: the pointer is the result, the other half lies at CB_PAIR after the call."""

ALLOCATING = frozenset(
    {
        "malloc", "calloc", "realloc", "__moore_queue_create", "__moore_queue_push_back", "__moore_queue_push_front", "__moore_queue_pop_front",
        "__moore_queue_pop_front_ptr", "__moore_queue_delete_index", "__moore_queue_insert", "__moore_queue_concat", "__moore_queue_slice",
        "__moore_dyn_array_new", "__moore_dyn_array_new_copy_bytes", "__moore_assoc_create", "__wasmjit_assoc_make", "__moore_assoc_get_ref",
        "__moore_assoc_copy_into", "__moore_assoc_copy", "__moore_string_concat", "__moore_string_replicate", "__moore_string_toupper",
        "__moore_string_tolower", "__moore_string_putc", "__moore_string_substr", "__moore_packed_string_to_string", "__moore_string_itoa",
        "__moore_int_to_string", "__moore_string_hextoa", "__moore_string_hextoa_width", "__moore_string_octtoa", "__moore_string_bintoa",
        "__moore_string_chartoa",
    }
)  # fmt: skip
"""Functions that make guest objects: code polls the collector before it calls them."""
