"""Runs mini-swe-agent inside its own environment; talks JSON lines with `run_mini` over stdin and stdout.

Only the standard library and mini-swe-agent exist here. It keeps the agent's own prompts and loop; what is
ours is the endpoint, the limits, and that commands go out over the pipe instead of to the machine.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from typing import Any

# The kernel ends this process when the benchmark dies (PR_SET_PDEATHSIG), so that no model is asked for nobody.
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
# The pipe is ours alone: whatever a library prints goes to the log.
PIPE = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import yaml  # noqa: E402
from minisweagent.agents.default import DefaultAgent  # noqa: E402
from minisweagent.config import builtin_config_dir  # noqa: E402
from minisweagent.environments.local import LocalEnvironment  # noqa: E402
from minisweagent.models.litellm_model import LitellmModel  # noqa: E402
from minisweagent.models.litellm_textbased_model import LitellmTextbasedModel  # noqa: E402


def send(message: dict[str, Any]) -> None:
    PIPE.write(json.dumps(message) + "\n")
    PIPE.flush()


class PipeEnvironment(LocalEnvironment):
    """Gives each command to the other side of the pipe, where the sandbox is."""

    def execute(self, action: dict[str, Any], cwd: str = "", *, timeout: int | None = None) -> dict[str, Any]:
        send({"command": action.get("command", "")})
        answer = json.loads(sys.stdin.readline())
        is_ended = answer["ended_by"] == "exit"
        output = {
            "output": answer["output"],
            "returncode": answer["exit_code"] if is_ended else -1,
            "exception_info": "" if is_ended else f"The command was ended: {answer['ended_by']}",
        }
        self._check_finished(output)
        return output


def main() -> None:
    settings = json.loads(sys.stdin.readline())
    name, model_class = (
        ("mini", LitellmModel) if settings["has_tools"] else ("mini_textbased", LitellmTextbasedModel)
    )
    config = yaml.safe_load((builtin_config_dir / f"{name}.yaml").read_text())
    model_config = config["model"] | {
        "model_name": f"openai/{settings['model']}",
        "cost_tracking": "ignore_errors",
        "model_kwargs": {
            "drop_params": True,
            "api_base": settings["base_url"],
            "api_key": "added by the meter",
            "timeout": settings["seconds"],
        },
    }
    limits = {
        "step_limit": settings["steps"],
        "cost_limit": 0.0,
        "wall_time_limit_seconds": settings["seconds"],
    }
    config["agent"]["output_path"] = settings["story"]
    agent_config = {key: value for key, value in config["agent"].items() if key != "mode"} | limits
    agent = DefaultAgent(model_class(**model_config), PipeEnvironment(cwd="/workspace"), **agent_config)
    try:
        ending = agent.run(settings["goal"]).get("exit_status", "")
    except Exception as error:
        ending = type(error).__name__
    send({"ending": ending})


if __name__ == "__main__":
    main()
