"""What runs in the browser and knows nothing of a page is run here by node: the tree, and text made visible."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from webapp.agents.plain import visible

ROOT = Path(__file__).resolve().parents[3]


def node(script: str, data: Any = None) -> Any:
    """Return what `script` prints as JSON; `input` is what it is given."""
    source = f'import {{ readFileSync }} from "node:fs";\nconst input = JSON.parse(readFileSync(0, "utf8"));\n{script}'
    done = subprocess.run(
        ["node", "--input-type=module", "--eval", source],
        input=json.dumps(data),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def rows(steps: list[dict[str, Any]], then: str = "") -> list[Any]:
    script = """
      import { StepTree } from "./static/js/agents/tree.js";
      const tree = new StepTree();
      for (const step of input) tree.put(step);
      %s
      console.log(JSON.stringify(tree.rows().map((r) => (r.fold ? ["fold", r.hidden] : [r.step.id, r.level, r.step.status]))));
    """
    return node(script % then, steps)


def step(name: str, seq: int, *, parent: str = "", status: str = "ok") -> dict[str, Any]:
    return {"id": name, "seq": seq, "parent": parent, "status": status}


def test_orders_steps_under_their_parents():
    steps = [step("c", 3, parent="a"), step("b", 2), step("a", 1), step("d", 4, parent="c")]
    assert rows(steps) == [["a", 1, "ok"], ["c", 2, "ok"], ["d", 3, "ok"], ["b", 1, "ok"]]


def test_loses_no_step_whose_parent_is_unknown_and_goes_in_no_circle():
    steps = [step("a", 1, parent="b"), step("b", 2, parent="a"), step("c", 3, parent="gone")]
    assert rows(steps) == [["a", 1, "ok"], ["b", 2, "ok"], ["c", 1, "ok"]]


def test_ignores_a_start_that_comes_after_the_end_and_takes_a_step_that_begins_anew():
    assert rows([step("a", 1), step("a", 1, status="running")]) == [["a", 1, "ok"]]
    assert rows([step("a", 1, status="cancelled"), step("a", 5, status="running")]) == [["a", 1, "running"]]


def test_closes_open_steps_with_the_run():
    assert rows([step("a", 1, status="running"), step("b", 2)], 'tree.settle("failed");') == [
        ["a", 1, "failed"],
        ["b", 1, "ok"],
    ]


def test_hides_what_is_collapsed():
    assert rows([step("a", 1), step("b", 2, parent="a")], 'tree.toggle("a");') == [["a", 1, "ok"]]


@pytest.mark.parametrize(("count", "folded"), [(200, 0), (201, 161), (5000, 4960)])
def test_folds_long_lists_to_their_newest(count, folded):
    shown = rows([step(f"s{n}", n) for n in range(count)])
    assert len(shown) <= 200
    assert (shown[0][1] if shown[0][0] == "fold" else 0) == folded
    assert shown[-1][0] == f"s{count - 1}"


def test_unfolds_a_piece_at_a_time():
    shown = rows([step(f"s{n}", n) for n in range(5000)], 'tree.unfold("");')
    assert len(shown) == 241


def test_reads_news_one_by_one_as_it_reads_them_all_at_once():
    steps = [step(f"s{n}", n, parent=f"s{n - n % 7}" if n % 7 else f"s{n // 2}") for n in range(1, 120)]
    script = """
      import { StepTree } from "./static/js/agents/tree.js";
      const tree = new StepTree();
      for (const step of input) { tree.put(step); tree.rows(); }
      console.log(JSON.stringify(tree.rows().map((r) => [r.step.id, r.level, r.step.status, r.position, r.count, r.at])));
    """
    one_by_one = node(script, steps)
    assert one_by_one == node(script, steps[::-1]) == node(script, [*steps[60:], *steps[:60]])
    assert [row[:3] for row in one_by_one] == rows(steps)
    assert [row[5] for row in one_by_one] == list(range(len(steps)))


def test_moves_a_step_that_begins_anew_to_its_new_place():
    steps = [step("a", 1), step("b", 2, parent="a"), step("c", 3), step("b", 4, parent="c")]
    assert rows(steps) == [["a", 1, "ok"], ["c", 1, "ok"], ["b", 2, "ok"]]


def test_reveals_a_step_that_is_folded_and_collapsed_away():
    steps = [step(f"s{n}", n, parent=f"s{n - n % 10}" if n % 10 else "") for n in range(5000)]
    script = """
      import { StepTree } from "./static/js/agents/tree.js";
      const tree = new StepTree();
      for (const step of input) tree.put(step);
      tree.toggle("s40", true);
      const found = [tree.indexOf("s47"), tree.indexOf("fold-"), tree.indexOf("none")];
      tree.reveal("s47");
      console.log(JSON.stringify([...found, tree.rows()[tree.indexOf("s47")].step.id, tree.rows()[0].hidden]));
    """
    assert node(script, steps) == [-1, 0, -1, "s47", 4]


@pytest.mark.parametrize(
    ("key", "row", "meaning"),
    [
        ("ArrowDown", {"at": 4, "count": 5}, {"to": 4}),
        ("ArrowDown", {"at": 3, "count": 5}, {"to": 4}),
        ("ArrowUp", {"at": 0, "count": 5}, {"to": 0}),
        ("Home", {"at": 3, "count": 5}, {"to": 0}),
        ("End", {"at": 3, "count": 5}, {"to": 4}),
        ("Enter", {}, {"isPressed": True}),
        (" ", {}, {"isPressed": True}),
        ("ArrowRight", {"isFold": True}, {"isPressed": True}),
        ("ArrowRight", {"isParent": True, "isCollapsed": True}, {"isCollapsed": False}),
        ("ArrowRight", {"isParent": True, "at": 3}, {"to": 4}),
        ("ArrowRight", {}, {"isPressed": True}),
        ("ArrowRight", {"isOpened": True}, {}),
        ("ArrowLeft", {"isOpened": True, "isParent": True}, {"isPressed": True}),
        ("ArrowLeft", {"isParent": True}, {"isCollapsed": True}),
        ("ArrowLeft", {"isParent": True, "isCollapsed": True, "above": 2}, {"to": 2}),
        ("ArrowLeft", {"above": -1}, {}),
        ("x", {}, None),
    ],
)
def test_gives_keys_the_meaning_that_they_have_in_other_trees(key, row, meaning):
    script = """
      import { meaningOf } from "./static/js/agents/keys.js";
      console.log(JSON.stringify(meaningOf(...input)));
    """
    assert node(script, [key, row]) == meaning


def test_shows_hidden_characters_as_the_server_does():
    texts = ["\x1b[31mred\x07", "a\u202eb\u2066", "⚠\ufe0f 👩\u200d💻", "ad\u200dmin", "a\U000e0041b"]
    texts += ["x\r\ny\rz", "می\u200cخواهم", "\x7f\x9b\ufeff", "\x00"]
    script = """
      import { visible } from "./static/js/agents/format.js";
      console.log(JSON.stringify(input.map((text) => visible(text))));
    """
    assert node(script, texts) == [visible(text) for text in texts]


def test_says_unknown_price_and_durations_as_the_server_does():
    from webapp.templatetags.ui import duration, usd

    script = """
      import { cost, duration } from "./static/js/agents/format.js";
      console.log(JSON.stringify([input[0].map(cost), input[1].map(duration)]));
    """
    costs, times = [None, 0.0, 0.0021, 0.25, 12.0], [None, 0, 850, 3210, 250_000]
    assert node(script, [costs, times]) == [[usd(cost) for cost in costs], [duration(ms) for ms in times]]
