"""The outline: public names with what a caller must know, tests, and checks."""

from __future__ import annotations

from textwrap import dedent

import rust_core


def outline(source: str) -> dict[str, object]:
    return rust_core.outline_source(dedent(source).encode())


def test_tells_public_names_and_their_signatures():
    found = outline("""
        import os
        from a import b as c
        LIMIT: int = 3
        x, (y, _z) = 1, (2, 3)
        @cached
        async def load[T](a: T,
                          *, b=1) -> T: ...
        class Shape(Base, metaclass=Meta):
            side: float
            def __init__(self, side): self.side = side
            def _hidden(self): ...
        class _Private:
            def method(self): ...
        if x:
            def late(): ...
    """)
    assert [
        (one["qualname"], one["kind"], one["signature"]) for one in found["symbols"] if one["is_public"]
    ] == [
        ("c", "import", ""),
        ("LIMIT", "variable", "int"),
        ("x", "variable", ""),
        ("load", "function", "@cached async [T](a: T, *, b=1) -> T"),
        ("Shape", "class", "(Base, metaclass=Meta)"),
        ("Shape.side", "variable", "float"),
        ("Shape.__init__", "function", "(self, side)"),
        ("late", "function", "()"),
    ]
    assert found["is_parsed"]


def test_obeys_a_plain_list_of_exported_names():
    found = outline("__all__ = ['_shown']\ndef _shown(): ...\ndef hidden(): ...\n")
    assert [one["qualname"] for one in found["symbols"] if one["is_public"]] == ["_shown"]


def test_ignores_a_list_of_exported_names_that_is_computed():
    found = outline("__all__ = ['a']\n__all__ += more()\ndef b(): ...\n")
    assert [one["qualname"] for one in found["symbols"] if one["is_public"]] == ["b"]


def test_counts_tests_and_checks():
    found = outline("""
        def test_one():
            assert a
            with pytest.raises(ValueError): b()
        class TestMore:
            def test_two(self):
                self.assertEqual(1, 1)
                mock.assert_called_once()
        def helper(): ...
    """)
    assert (found["tests"], found["asserts"]) == (["test_one", "TestMore.test_two"], 4)


def test_says_that_a_source_did_not_parse():
    assert not outline("def f(:\n")["is_parsed"]
    assert outline("x = " + "(" * 100_000)["symbols"] == []
