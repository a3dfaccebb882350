"""Writes about runs and model profiles."""

from webapp.agents.services.controlling import dismiss_run, reprioritise_run, resume_by_person
from webapp.agents.services.definitions import archive_agent, change_agent, define_agent, restore_version
from webapp.agents.services.launching import launch, ring
from webapp.agents.services.profiles import delete_profile, make_default, save_profile
from webapp.agents.services.rerunning import rerun
from webapp.agents.services.runs import cancel_run, retry_run, start_run, stop_runs_of
from webapp.agents.services.steering import steer_run
from webapp.agents.services.suspending import resume_run, suspend_run

__all__ = [
    "archive_agent",
    "cancel_run",
    "change_agent",
    "define_agent",
    "delete_profile",
    "dismiss_run",
    "launch",
    "make_default",
    "reprioritise_run",
    "resume_by_person",
    "restore_version",
    "rerun",
    "resume_run",
    "retry_run",
    "ring",
    "save_profile",
    "start_run",
    "steer_run",
    "stop_runs_of",
    "suspend_run",
]
