from __future__ import annotations

from workers.agents.knowledge.core import KnowledgeCore, Piece

core = KnowledgeCore()
SOURCES = {
    "src/pkg/__init__.py": "",
    "src/pkg/parse.py": "def parse_line(text):\n    return text.split()\n",
    "src/pkg/cli.py": "from pkg.parse import parse_line\nfrom . import report\n\n\ndef main():\n    parse_line('a')\n",
    "src/pkg/report.py": "import pkg.parse as p\n\n\nclass Report:\n    def rows(self):\n        return p.parse_line('b')\n",
    "tests/test_parse.py": "from src.pkg.parse import parse_line\n\n\ndef test_it():\n    assert parse_line('')\n",
    "broken.py": "def (",
}


def test_documents_fall_into_paragraphs_and_code_into_what_it_says_of_itself() -> None:
    pieces = core.pieces_of("a.md", "# One\n\nfirst\nmore\n\n\nsecond\n")
    assert pieces == [
        Piece("a.md", 1, "a.md\n# One"),
        Piece("a.md", 3, "a.md\nfirst\nmore"),
        Piece("a.md", 7, "a.md\nsecond"),
    ]
    (module, function) = core.pieces_of(
        "b.py", '"""Reads."""\n\n\ndef read_line(path):\n    """Return one."""\n'
    )
    assert (module.where, function.where) == ("b.py:1", "b.py:4")
    assert "read line" in function.text
    assert core.pieces_of("c.py", "def (") == []


def test_finds_who_imports_a_file_and_what_it_imports() -> None:
    found = core.related(core.tie(SOURCES), "src/pkg/parse.py")
    importers = {known.where for known in found if known.text == "imports src/pkg/parse.py"}
    assert importers == {"src/pkg/cli.py", "src/pkg/report.py", "tests/test_parse.py"}
    found = core.related(core.tie(SOURCES), "src.pkg.cli")
    imported = {known.where for known in found if "is imported by" in known.text}
    assert imported == {"src/pkg/parse.py", "src/pkg/report.py"}


def test_finds_where_a_name_is_defined_and_called() -> None:
    found = core.related(core.tie(SOURCES), "pkg.parse.parse_line")
    assert [known.where for known in found if known.text.startswith("defines")] == ["src/pkg/parse.py:1"]
    calls = {known.where for known in found if known.text.startswith("calls")}
    assert calls == {"src/pkg/cli.py:6", "src/pkg/report.py:6", "tests/test_parse.py:5"}
    assert core.related(core.tie(SOURCES), "nothing") == []


def test_tells_what_rows_carried_into_the_run() -> None:
    job = {
        "lessons": [
            {"id": 7, "pattern": "ZeroDivisionError", "cause": "no rows", "solution": "check for rows"}
        ],
        "conversation": [{"author": "Ada", "text": "the parser is slow"}],
        "revision_of": {"comments": [{"id": 3, "path": "a.py", "text": "name the rows"}]},
        "rules": [],
    }
    found = core.from_job(job, "what about empty rows?")
    assert [known.where for known in found] == ["lesson 7", "review comment 3"]
    assert core.from_job(job, "weather") == []


def test_a_file_that_is_made_to_break_its_reader_is_left_out() -> None:
    hostile = "a = " + "-" * 100_000 + "1"
    assert core.pieces_of("a.py", hostile) == []
    assert "a.py" not in core.tie({"a.py": hostile, "b.py": ""}).imports
