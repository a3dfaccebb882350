"""A stranger's fuzzer against the running product: no 500, no undocumented answer, on every operation of the API."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.framework.stack import Stack

EXAMPLES = os.environ.get("PYAGENT_FUZZ_EXAMPLES", "2")
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.mark.flow
@pytest.mark.timeout(600)
def test_schemathesis_finds_no_500_and_no_undocumented_answer(stack: Stack, tmp_path: Path) -> None:
    email = stack.person("fuzzer")
    repository = tmp_path / "seed"
    repository.mkdir()
    (repository / "a.py").write_text("import os\n\nprint(1)\n")
    archive = shutil.make_archive(str(tmp_path / "seed-archive"), "zip", repository)
    stack.manage("importworkspace", "Fuzzed", archive, "--owner", email)
    key = stack.manage("createapikey", email, "--scopes", "read,write,run,review,apply,admin")
    program = Path(sys.executable).with_name("schemathesis")
    done = subprocess.run(
        [str(program), "run", f"{stack.url}/api/v1/openapi.json", "--phases", "coverage,fuzzing", "--checks", CHECKS,
         "--continue-on-failure", "--max-examples", EXAMPLES,
         "--seed", "1", "--workers", "1", "--request-timeout", "30", "--no-color", "-H", f"Authorization: Bearer {key}",
         # The operations that would take the fuzzer's own key or the whole workspace away are tested elsewhere.
         "--exclude-path", "/api/v1/workspaces/{workspace_id}/delete", "--exclude-path", "/api/v1/me/keys/{key_id}"],
        capture_output=True, text=True, timeout=580, check=False, env=stack.environment, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
