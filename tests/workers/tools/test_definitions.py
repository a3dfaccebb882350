from __future__ import annotations

import pytest

from workers.tools.base import ToolContext
from workers.tools.definitions import merge_definitions
from workers.tools.editing import EditCode
from workers.tools.errors import EditRefused, ToolError

CACHE = '''"""A cache."""

import os

LIMIT = 3


class Cache(dict):
    """Keeps."""

    # How it is read.
    def get(self, key):
        return self[key]

    def put(self, key, value):
        self[key] = value


def size(cache):
    return len(cache)


if __name__ == "__main__":
    print(size(Cache()))
'''


def test_replaces_a_function_by_its_name_and_leaves_the_rest() -> None:
    merged = merge_definitions(CACHE, "def size(cache):\n    return LIMIT\n")
    assert merged.text == CACHE.replace("return len(cache)", "return LIMIT")
    assert merged.said == "replaced size"


def test_replaces_a_method_inside_its_class_and_keeps_the_others() -> None:
    merged = merge_definitions(
        CACHE, "class Cache:\n  def get(self, key):\n    return self.setdefault(key)\n"
    )
    assert merged.text == CACHE.replace("return self[key]", "return self.setdefault(key)").replace(
        "    def get(self, key):\n        return", "    def get(self, key):\n      return"
    )
    assert merged.said == "replaced Cache.get"


def test_adds_what_is_new_where_it_belongs() -> None:
    code = "import re\nBASE = 2\ndef twice(x):\n    return x * BASE\n"
    code += "class Cache(dict):\n    def drop(self):\n        self.clear()\n"
    text = merge_definitions(CACHE, code).text
    assert "import os\nimport re\n" in text
    assert text.index("BASE = 2") < text.index("LIMIT = 3") < text.index("class Cache")
    assert "        self[key] = value\n\n    def drop(self):\n        self.clear()\n" in text
    assert "    return len(cache)\n\n\ndef twice(x):" in text
    assert text.index("def twice") < text.index("if __name__")
    compile(text, "cache.py", "exec")


def test_takes_a_method_without_its_class_for_the_only_one_there_is() -> None:
    merged = merge_definitions(CACHE, "def get(self, key):\n    return 7\ndef new(self):\n    return 8\n")
    assert merged.said == "replaced Cache.get; added Cache.new"
    assert "    def get(self, key):\n        return 7\n\n    def put" in merged.text
    assert "\n\n    def new(self):\n        return 8\n" in merged.text
    two = CACHE + "\n\nclass Other:\n    def get(self, key):\n        return 1\n"
    with pytest.raises(EditRefused, match="inside its class, one of Cache, Other"):
        merge_definitions(two, "def get(self, key):\n    return 7\n")


def test_replaces_a_class_whose_head_differs() -> None:
    merged = merge_definitions(CACHE, "class Cache(list):\n    pass\n")
    assert "class Cache(list):\n    pass\n\n\ndef size" in merged.text


def test_takes_decorators_with_their_function() -> None:
    text = "@first\n@second\ndef f():\n    return 1\n"
    assert (
        merge_definitions(text, "@third\ndef f():\n    return 2").text == "@third\ndef f():\n    return 2\n"
    )


def test_replaces_a_constant() -> None:
    assert "LIMIT = [\n    1,\n]\n" in merge_definitions(CACHE, "LIMIT = [\n    1,\n]").text


def test_takes_a_file_without_an_end_of_line_and_an_empty_one() -> None:
    assert merge_definitions("x = 1", "def f():\n    pass").text == "x = 1\n\n\ndef f():\n    pass\n"
    assert merge_definitions("", "def f():\n    pass").text == "def f():\n    pass\n"


def test_a_class_on_one_line_is_replaced_whole() -> None:
    assert merge_definitions("class A: pass\n", "class A:\n    x = 1\n").text == "class A:\n    x = 1\n"


def test_keeps_line_ends_tabs_and_odd_characters() -> None:
    text = 'x = "\x0c\u2028"\r\n\r\n\r\nclass A:\r\n\tdef f(self):\r\n\t\treturn 1\r\n'
    merged = merge_definitions(text, "class A:\n    def f(self):\n        return 2\n")
    assert merged.text == text.replace("\t\treturn 1", "\t    return 2")


def test_moves_no_line_of_a_string() -> None:
    code = 'def get(self, key):\n    return """a\n  b\nc"""\n'
    assert '    def get(self, key):\n        return """a\n  b\nc"""\n' in merge_definitions(CACHE, code).text


def test_loses_nothing_of_a_comment_at_the_margin() -> None:
    code = "class Cache:\n        def get(self, key):\n# at the margin\n            return 1\n"
    assert (
        "    def get(self, key):\n# at the margin\n        return 1\n" in merge_definitions(CACHE, code).text
    )


def test_tells_a_setter_from_its_getter() -> None:
    text = "class A:\n    @property\n    def x(self):\n        return 1\n\n    @x.setter\n    def x(self, v):\n        pass\n"
    code = text.replace("return 1", "return 2").replace("pass", "self.v = v")
    merged = merge_definitions(text, code)
    assert (merged.text, merged.said) == (code, "replaced A.x, A.x.setter")


def test_puts_a_future_import_first() -> None:
    code = "from __future__ import annotations\nimport re\n"
    assert merge_definitions(CACHE, code).text.startswith(
        '"""A cache."""\nfrom __future__ import annotations\n\nimport os\nimport re\n'
    )


@pytest.mark.parametrize(
    ("text", "code", "why"),
    [
        (CACHE, "def size(cache)\n    return 1\n", "Your code does not parse in line 1"),
        ("def broken(:\n", "def f():\n    pass\n", "The file does not parse in line 1"),
        (CACHE, "print(1)\n", "no whole function"),
        (CACHE, "\0", "Your code does not parse"),
        ("a = 1; b = 2\n", "a = 3\n", "on the same line"),
        ("def f(): pass\ndef f(): pass\n", "def f():\n    return 1\n", "defines f 2 times"),
    ],
)
def test_refuses_what_cannot_be_placed(text: str, code: str, why: str) -> None:
    with pytest.raises(EditRefused, match=why.replace("(", r"\(")):
        merge_definitions(text, code)


async def test_the_tool_writes_the_file_and_says_what_it_did(context: ToolContext) -> None:
    path = context.files_dir / "cache.py"
    path.write_text(CACHE)
    code = "def size(cache):\n    return 0\n"
    first = await EditCode().call({"path": "cache.py", "code": code}, context)
    assert first.text == "Edited cache.py: replaced size."
    assert "return 0" in path.read_text()
    assert not first.facts["is_same"]
    again = await EditCode().call({"path": "cache.py", "code": code}, context)
    assert again.facts["is_same"]
    form = await EditCode().call(
        {"path": "cache.py", "code": code.replace("    ", "    '''Size.'''\n    # None.\n    ")}, context
    )
    assert form.facts["is_same"] and "no difference but in its form" in form.text
    assert "# None." in path.read_text()
    with pytest.raises(ToolError, match="only Python"):
        await EditCode().call({"path": "a.js", "code": code}, context)
