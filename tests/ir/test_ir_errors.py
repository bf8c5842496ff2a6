"""Messages for inputs that are no designs: what, where, and what to do."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from ir_helpers import errors, module

from wasmjit.ir import Diagnostic, IRError, parse_file, parse_text, verify


def read_bytes(tmp_path: Path, data: bytes, name: str = "x.mlir") -> str:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(IRError) as caught:
        parse_file(path).force()
    return str(caught.value)


def test_a_message_has_place_line_caret_and_hint() -> None:
    with pytest.raises(IRError) as caught:
        parse_text("hw.module @t(in %a : i8) {\n\t%0 = comb.add %a, %ab : i8\n}\n", "f.mlir").force()
    assert (
        str(caught.value)
        == "f.mlir:2:20: error: '%ab' is not defined\n  \t%0 = comb.add %a, %ab : i8\n  \t                  ^\n  hint: did you mean '%a'?"
    )
    assert isinstance(caught.value.diagnostics[0], Diagnostic)


def test_several_errors_are_reported_at_once_without_echoes() -> None:
    text = module(
        "%0 = comb.add %a : i1\n%1 = comb.bogus %0 : i8\n%2 = comb.add %1, %0 : i8\n%3 = comb.extract %a from 9 : (i8) -> i1\n%4 = hw.constant\n%5 = comb.and %4, %zz : i8",
        "%a: i8",
    )
    found = errors(text)
    assert len(found) == 4, found
    assert (
        "is used as i1" in found[0]
        and "unknown operation 'comb.bogus'" in found[1]
        and "expected a constant" in found[2]
        and "'%zz'" in found[3]
    )


def test_errors_of_several_bodies_are_collected() -> None:
    text = "hw.module @a() {\n  x.y\n}\nhw.module @b() {\n  z.w\n}\n"
    assert len(errors(text)) == 2
    assert len(verify(parse_text(text), deep=True)) == 2


def test_at_most_twenty_errors() -> None:
    assert len(errors(module("\n".join("%x = no.such" for _ in range(100))))) == 20


def test_unknown_custom_operation_says_how_to_go_on() -> None:
    with pytest.raises(IRError, match=r"--mlir-print-op-generic"):
        parse_text("foo.bar %a : i8")


def test_bytecode(tmp_path: Path) -> None:
    text = read_bytes(tmp_path, b"ML\xefR\x0d\x01\x00", "x.mlirbc")
    assert "MLIR bytecode" in text and "circt-opt --mlir-print-op-generic" in text and "x.mlirbc" in text


@pytest.mark.parametrize("data", [b"", b"  \n\t\n"])
def test_empty_input(tmp_path: Path, data: bytes) -> None:
    assert "the input is empty" in read_bytes(tmp_path, data)


def test_comments_only_is_an_empty_module() -> None:
    assert parse_text("// nothing\n").symbols == {}


def test_truncated_and_damaged_gzip(tmp_path: Path) -> None:
    packed = gzip.compress(module("hw.output" * 1000).encode())
    assert "is cut off" in read_bytes(tmp_path, packed[: len(packed) // 2], "x.mlir.gz")
    assert "damaged" in read_bytes(tmp_path, packed[:12] + b"\xff\xff\xff\xff" + packed[16:], "x.mlir.gz")


def test_not_utf8(tmp_path: Path) -> None:
    assert "x.mlir:2:4: error: byte 0xE9 is not part of UTF-8 text" in read_bytes(tmp_path, b"// \xe9 in a comment is fine\nhw.\xe9\n")
    assert "UTF-16" in read_bytes(tmp_path, "hw.module".encode("utf-16"))
    assert "NUL" in read_bytes(tmp_path, b"hw.module\0")


def test_raw_bytes_in_strings_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.mlir"
    path.write_bytes(b'"t.op"() {k = "\xe9"} : () -> ()\n')
    assert parse_file(path).root.regions[0].blocks[0].ops[0].attrs["k"] == "\udce9"


def test_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "x.mlir"
    path.write_bytes(b"\xef\xbb\xbfhw.module @a() {\n}\n")
    assert list(parse_file(path).symbols) == ["a"]


def test_missing_file_and_directory(tmp_path: Path) -> None:
    for path in (tmp_path / "none.mlir", tmp_path):
        with pytest.raises(IRError, match="cannot read the file"):
            parse_file(path)


@pytest.mark.parametrize(
    "text",
    [
        '"t.op"() {k = ' + "[" * 5000 + "]" * 5000 + "} : () -> ()",
        '"t.op"() {k = ' + "{a = " * 5000 + "1" + "}" * 5000 + "} : () -> ()",
        '"t.op"() : () -> ' + "!hw.array<1x" * 5000 + "i1" + ">" * 5000,
        '"t.op"() : () -> ' + "() -> " * 5000 + "()",
        '"t.op"() {k = dense<' + "[" * 5000 + "]" * 5000 + "> : tensor<1xi1>} : () -> ()",
        '"t.op"() ({' * 3000 + "}) : () -> ()" * 3000,
        "module {" * 3000 + "}" * 3000,
        "func.func @f(%c: i1) {\n" + "scf.if %c {\n" * 3000 + "}\n" * 3000 + "return\n}",
        '!a = !b\n!b = !a\n"t.op"() : () -> !a',
        '#a = [#b]\n#b = [#a]\n"t.op"() {k = #a} : () -> ()',
    ],
)
def test_deep_nesting_is_a_diagnostic(text: str) -> None:
    found = errors(text)
    assert found and ("levels deep" in found[0] or "too deeply" in found[0]), found


@pytest.mark.parametrize("cut", range(0, 400, 7))
def test_any_prefix_of_a_design_is_an_error_or_a_design(cut: int) -> None:
    text = 'module {\n  hw.module @t(in %a : !hw.struct<value: i1, unknown: i1>, out x : i1) attributes {k = "v"} {\n    %0 = hw.struct_extract %a["value"] : !hw.struct<value: i1, unknown: i1>\n    llhd.process {\n      cf.br ^b(%0 : i1)\n    ^b(%1: i1):\n      llhd.halt\n    }\n    hw.output %0 : i1\n  }\n  llvm.mlir.global internal constant @s("x\\00") {addr_space = 0 : i32}\n}\n'
    try:
        parse_text(text[:cut] or " x").force()
    except IRError as e:
        assert e.diagnostics[0].line >= 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hw.module @a() {\n}\nhw.module @a() {\n}", "symbol @a is defined twice"),
        ("}", "unexpected '}'"),
        ("^bb0:", "a block outside of any region"),
        ("hw.module @a() {", "never closed"),
        ("%0 = hw.constant 1 : i99999999999", "wider than"),
        ("%0:99999999999 = hw.constant 1 : i8", "asks for"),
        ("%0 = hw.constant 1 : i8, ", "expected an operation"),
        ("%0 = hw.constant 1.5 : i8", "has the integer type"),
        ("%0, %1 = hw.constant 1 : i8", "has 1 results, but 2 are named"),
        ('"t.op"() {a = 1, a = 2} : () -> ()', "given twice"),
        ('"t.op"() {k = #nope} : () -> ()', "alias '#nope' is not defined"),
        ('"t.op"() : () -> !nope', "alias '!nope' is not defined"),
        ('"t.op"() : () -> foo', "unknown type 'foo'"),
        ('"t.op"(%a) : () -> ()', "1 operands, but 0 types"),
        ('"t.op"() {k = "abc} : () -> ()', "expected"),
        ("llvm.mlir.global internal @x()", "expected ':' and the type"),
        ('"builtin.module"() : () -> ()', "has 0 regions"),
        ('"hw.module"() ({\n"hw.output"() : () -> ()\n}) {sym_name = "t"} : () -> ()', "needs the attribute ports"),
        ('"hw.module"() {sym_name = "t", module_type = !hw.modty<>} : () -> ()', "has 0 regions"),
        ('%0 = "hw.constant"() {value = "x"} : () -> i8', "wrong kind"),
        ('%0 = "hw.constant"() : () -> i8', "needs the attribute value"),
        ("hw.module @t(in %a : !hw.struct<a: i1, a: i2>) {\n}", "given twice"),
    ],
)
def test_messages(text: str, message: str) -> None:
    found = errors(text)
    assert any(message in m for m in found), found


def test_verification_can_be_left_out() -> None:
    text = module('hw.instance "u" @nope() -> ()')
    assert errors(text)
    design = parse_text(text, verify=False).force()
    assert [d.message for d in verify(design)] == ["there is no module @nope"]


def test_verify_reports_what_is_read_or_everything() -> None:
    design = parse_text(module('hw.instance "u" @nope() -> ()'))
    assert verify(design) == []
    assert len(verify(design, deep=True)) == 1
