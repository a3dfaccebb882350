from __future__ import annotations

from tests.framework.agent_bench import MakeBench
from workers.events import ChangeProposed, RunFailed, RunFinished, RunStarted, StepFinished, StepStarted


async def test_offers_a_diff_with_evidence_and_a_report(
    make_bench: MakeBench, untidy: dict[str, str]
) -> None:
    bench = make_bench(untidy)
    job = bench.job("please")
    assert await bench.run(job) == "finished"
    relay = bench.relay
    assert [event.type for event in relay.events][0] == "RunStarted"
    assert relay.of(RunStarted)[0].model == ""
    (proposal,) = relay.of(ChangeProposed)
    assert proposal.base_commit == job.base_commit
    assert proposal.title == "Tidy 2 Python files"
    assert "import os" not in bench.read(proposal.commit, "pkg/one.py")
    assert bench.read(proposal.commit, "pkg/two.py").strip() == 'x = "plain"'
    assert bench.read(proposal.commit, "vendor/lib.py") == "import os\n"
    assert bench.read(proposal.commit, "pkg/api_pb2.py") == "import os\n"
    tree = bench.repository.tree_of(proposal.commit)
    assert [(item["exit_code"], item["tree"]) for item in proposal.evidence] == [(0, tree), (0, tree)]
    assert bench.repository.ref(f"refs/agent/{job.run_id}/1") == proposal.commit
    assert bench.repository.head() == job.base_commit
    assert "safe fixes in 2 of" in relay.of(RunFinished)[0].answer
    assert {event.step_id for event in relay.of(StepStarted)} == {
        event.step_id for event in relay.of(StepFinished)
    }
    assert not list(bench.repository.worktrees_dir.iterdir())


async def test_says_so_when_there_is_nothing_to_fix(make_bench: MakeBench) -> None:
    bench = make_bench({"a.py": "x = 1\n"})
    assert await bench.run(bench.job("")) == "finished"
    assert not bench.relay.of(ChangeProposed)
    assert "Nothing to fix in 1 Python files." in bench.relay.of(RunFinished)[0].answer


async def test_fails_with_a_name_when_only_vendored_code_is_meant(
    make_bench: MakeBench, untidy: dict[str, str]
) -> None:
    bench = make_bench(untidy)
    assert await bench.run(bench.job("vendor/lib.py")) == "failed"
    assert bench.relay.of(RunFailed)[0].code == "nothing_to_tidy"


async def test_leaves_a_file_out_when_a_reviewer_must_have_it_fixed(
    make_bench: MakeBench, untidy: dict[str, str]
) -> None:
    bench = make_bench(untidy)
    await bench.run(bench.job(""))
    (first,) = bench.relay.of(ChangeProposed)
    revision_of = {
        "change_set_id": 1,
        "revision": 1,
        "commit": first.commit,
        "goal": "",
        "comments": [
            {"id": 4, "kind": "must-fix", "path": "pkg/one.py", "line": 1, "code": "", "text": "Keep os."}
        ],
    }
    job = bench.job("Answer the review of “Tidy 2 Python files”: 1 comment.", revision_of=revision_of)
    assert await bench.run(job) == "finished"
    second = bench.relay.of(ChangeProposed)[1]
    assert bench.read(second.commit, "pkg/one.py") == untidy["pkg/one.py"]
    assert "json" not in bench.read(second.commit, "pkg/two.py")
    assert second.answers[0]["comment_id"] == 4
    assert bench.repository.ref(f"refs/agent/{job.run_id}/2") == second.commit


async def test_follows_the_projects_own_rules(make_bench: MakeBench) -> None:
    bench = make_bench({"ruff.toml": '[lint]\nselect = ["F541"]\n', "a.py": 'import os\n\nx = f"plain"\n'})
    await bench.run(bench.job(""))
    assert bench.read(bench.relay.of(ChangeProposed)[0].commit, "a.py") == 'import os\n\nx = "plain"\n'


async def test_says_what_is_wrong_with_the_projects_rules(make_bench: MakeBench) -> None:
    bench = make_bench({"ruff.toml": "no = [such\n", "a.py": "x = 1\n"})
    assert await bench.run(bench.job("")) == "failed"
    assert bench.relay.of(RunFailed)[0].code == "lint_config_invalid"
    assert "ruff.toml" in bench.relay.of(RunFailed)[0].message


async def test_tidies_only_what_is_named(make_bench: MakeBench, untidy: dict[str, str]) -> None:
    bench = make_bench(untidy)
    await bench.run(bench.job("pkg/two.py"))
    (proposal,) = bench.relay.of(ChangeProposed)
    assert proposal.title == "Tidy 1 Python file"
    assert bench.read(proposal.commit, "pkg/one.py") == untidy["pkg/one.py"]
