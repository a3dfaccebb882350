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
