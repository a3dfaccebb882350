"""Everything a page does can be done over REST: each address of a page names the operations that do the same."""

from __future__ import annotations

from django.urls import get_resolver

from tests.webapp.test_doors import walk
from webapp.api import api

W, ONE = "/workspaces/{workspace_id}", "/workspaces/{workspace_id}/reviews/{change_set_id}"
H, L = f"{W}/codehealth", f"{W}/lessons"
AGENT = f"{W}/agents/{{agent_id}}"
U = f"{W}/unattended"
ANY = "/fleet/runs/{run_id}"
RUN, MODEL = f"{W}/runs/{{run_id}}", "/models/{model_id}"
MODELS = {
    "": "GET /models",
    "_add": "POST /models",
    "_edit": f"PUT {MODEL}",
    "_delete": f"DELETE {MODEL}",
    "_default": f"PUT {MODEL}",
    "_test": f"POST {MODEL}/test",
    "_embedded": "GET /models/embedded",
    "_test_embedded": "POST /models/embedded/test",
}
SAME_OVER_REST = {
    # people; how one signs in, and one's password, are for a browser alone
    "accept_invitation": "POST /invitations/accept",
    "profile": "PUT /me, GET /me, GET /me/keys",
    "create_key": "POST /me/keys",
    "revoke_key": "DELETE /me/keys/{key_id}",
    "sign_out_everywhere": "POST /me/sign-out-everywhere",
    "people": "GET /people",
    "invite_person": "POST /people/invitations",
    "set_active": "PUT /people/{user_id}/active",
    # workspaces
    "home": "GET /workspaces",
    "new_workspace": "POST /workspaces, POST /workspaces/upload",
    "workspace": f"GET {W}",
    "workspace_state": f"GET {W}",
    "stop_preparing": f"POST {W}/stop",
    "workspace_members": f"GET {W}/members, GET {W}/invitations",
    "workspace_invite": f"POST {W}/members, POST {W}/invitations",
    "revoke_invitation": f"DELETE {W}/invitations/{{invitation_id}}",
    "change_member": f"PUT {W}/members/{{user_id}}, DELETE {W}/members/{{user_id}}",
    "workspace_settings": f"PUT {W}",
    "delete_workspace": f"POST {W}/delete",
    # channels
    "workspace_channels": f"GET {W}/channels",
    "new_channel": f"POST {W}/channels",
    "channel_rail": f"GET {W}/channels",
    "channel_mentions": f"GET {W}/mentions",
    "workspace_search": f"GET {W}/messages",
    "channel": f"GET {W}/channels/{{channel_id}}/messages, POST {W}/channels/{{channel_id}}/messages",
    "channel_messages": f"GET {W}/channels/{{channel_id}}/messages",
    "channel_topics": f"GET {W}/channels/{{channel_id}}/topics",
    "channel_settings": f"PATCH {W}/channels/{{channel_id}}",
    "message": f"GET {W}/messages/{{message_id}}",
    # runs and models
    "workspace_agents": f"GET {W}/agents",
    "define_agent": f"POST {W}/agents",
    "agent": f"GET {AGENT}, GET {AGENT}/versions",
    "change_agent": f"PUT {AGENT}",
    "archive_agent": f"DELETE {AGENT}, POST {AGENT}/bring-back",
    "agent_version": f"GET {AGENT}/versions",
    "restore_agent": f"POST {AGENT}/versions/{{number}}/restore",
    "workspace_runs": f"GET {W}/runs, GET {W}/agents",
    "start_run": f"POST {W}/runs",
    "run": f"GET {RUN}",
    "run_lineage": f"GET {RUN}/lineage",
    "steer_run": f"POST {RUN}/steer, GET {RUN}/notes",
    "rerun": f"POST {RUN}/rerun",
    "run_state": f"GET {RUN}/steps",
    "run_timeline": f"GET {RUN}/steps",
    "run_log": f"GET {RUN}/steps",
    "run_card": f"GET {RUN}",
    "run_row": f"GET {RUN}",
    "cancel_run": f"POST {RUN}/cancel",
    "retry_run": f"POST {RUN}/retry",
    "suspend_run": f"POST {RUN}/suspend",
    "resume_run": f"POST {RUN}/resume",
    "run_priority": f"PUT {RUN}/priority",
    "dismiss_run": f"POST {RUN}/dismiss, GET {W}/runs-given-up",
    "run_step": f"GET {RUN}/steps/{{step_id}}",
    **{f"my_models{suffix}": same for suffix, same in MODELS.items()},
    **{f"workspace_models{suffix}": same for suffix, same in MODELS.items()},
    "workspace_spend": f"GET {W}/spend",
    "workspace_spend_limits": f"PUT {W}/spend/limits",
    "workspace_prices": f"GET {W}/prices, PUT {W}/prices",
    "workspace_price_delete": f"DELETE {W}/prices",
    "agent_models": f"GET {W}/agent-models, PUT {W}/agent-models",
    "workspace_budget": f"GET {W}/budget, PUT {W}/budget",
    "decide_approval": f"POST {RUN}/approvals/{{step_id}}, GET {RUN}/approvals",
    "workspace_policy": f"GET {W}/policy, PUT {W}/policy, GET {W}/policy/versions",
    "policy_version": f"GET {W}/policy/versions/{{number}}",
    "restore_policy": f"POST {W}/policy/versions/{{number}}/restore",
    **{f"installation_models{suffix}": same for suffix, same in MODELS.items()},
    # unattended work
    "unattended": f"GET {U}/schedules, GET {U}/acts",
    "add_schedule": f"POST {U}/schedules",
    "schedule": f"GET {U}/schedules/{{schedule_id}}, GET {U}/schedules/{{schedule_id}}/firings",
    "edit_schedule": f"PUT {U}/schedules/{{schedule_id}}",
    "switch_schedule": f"POST {U}/schedules/{{schedule_id}}/switch",
    "start_schedule": f"POST {U}/schedules/{{schedule_id}}/start",
    "delete_schedule": f"DELETE {U}/schedules/{{schedule_id}}",
    "goals": f"GET {U}/goals, GET {U}/acts",
    "add_goal": f"POST {U}/goals",
    "goal": f"GET {U}/goals/{{goal_id}}, GET {U}/goals/{{goal_id}}/rounds",
    "stop_goal": f"POST {U}/goals/{{goal_id}}/stop",
    "delete_goal": f"DELETE {U}/goals/{{goal_id}}",
    "webhooks": f"GET {U}/webhooks, GET {U}/acts",
    "add_webhook": f"POST {U}/webhooks",
    "webhook": f"GET {U}/webhooks/{{webhook_id}}, GET {U}/webhooks/{{webhook_id}}/deliveries",
    "edit_webhook": f"PUT {U}/webhooks/{{webhook_id}}",
    "switch_webhook": f"POST {U}/webhooks/{{webhook_id}}/switch",
    "renew_webhook": f"POST {U}/webhooks/{{webhook_id}}/secret",
    "delete_webhook": f"DELETE {U}/webhooks/{{webhook_id}}",
    # reviews
    "workspace_reviews": f"GET {W}/reviews",
    "review_rows": f"GET {W}/reviews",
    "review": f"GET {ONE}",
    "review_header": f"GET {ONE}",
    "review_file": f"GET {ONE}",
    "review_hunk": f"GET {ONE}/hunks/{{key}}",
    "review_decide": f"POST {ONE}/hunks/{{key}}/decision",
    "review_edit": f"POST {ONE}/hunks/{{key}}/decision",
    "review_split": f"POST {ONE}/hunks/{{key}}/decision",
    "review_decide_file": f"POST {ONE}/decision",
    "review_decide_all": f"POST {ONE}/decision",
    "review_undo": f"POST {ONE}/undo",
    "review_comment": f"POST {ONE}/comments",
    "review_comment_form": f"POST {ONE}/comments",
    "review_reply": f"POST {ONE}/comments",
    "review_resolve": f"POST {ONE}/comments/{{comment_id}}/resolve",
    "review_send": f"POST {ONE}/send",
    "review_ask_reviewer": f"POST {ONE}/review",
    "review_evidence": f"POST {ONE}/evidence",
    "review_cancel_evidence": f"POST {ONE}/evidence/{{evidence_id}}/cancel",
    "review_apply": f"POST {ONE}/apply",
    "review_revert": f"POST {ONE}/revert",
    "review_discard": f"POST {ONE}/discard",
    "review_reopen": f"POST {ONE}/reopen",
    "review_health": f"GET {ONE}/health",
    # code health
    "workspace_health": f"GET {H}/summary, GET {H}/files, GET {H}/hotspots, GET {H}/trend",
    "health_file": f"GET {H}/file",
    "health_limits": f"GET {H}/thresholds, PUT {H}/thresholds",
    "health_patterns": f"GET {H}/findings, GET {H}/rules, POST {H}/rules",
    "delete_pattern_rule": f"DELETE {H}/rules/{{rule_id}}",
    "health_measurements": f"GET {H}/summary",
    "start_measurement": f"POST {H}/measurements",
    "cancel_measurement": f"POST {H}/measurements/{{measurement_id}}/cancel",
    # the fleet
    "workspace_fleet": f"GET {W}/fleet, GET {W}/runs-given-up",
    "fleet": "GET /fleet, GET /fleet/shares, GET /fleet/given-up, GET /fleet/set-aside",
    "set_share": "PUT /fleet/shares",
    **{f"fleet_{one}": f"POST {ANY}/{one}" for one in ("suspend", "resume", "cancel", "retry", "dismiss")},
    "fleet_priority": f"PUT {ANY}/priority",
    # lessons
    "workspace_lessons": f"GET {L}, GET {W}/agent-weights",
    "new_lesson": f"POST {L}",
    "lesson": f"GET {L}/{{lesson_id}}, PATCH {L}/{{lesson_id}}",
    "pin_lesson": f"PATCH {L}/{{lesson_id}}",
    "archive_lesson": f"POST {L}/{{lesson_id}}/archive",
    "restore_lesson": f"POST {L}/{{lesson_id}}/restore",
    "delete_lesson": f"DELETE {L}/{{lesson_id}}",
    # files and git; the pages themselves ask the API
    "workspace_files": f"GET {W}/files, GET {W}/file, PUT {W}/file, DELETE {W}/file, GET {W}/files/search",
    "workspace_git": f"GET {W}/git, POST {W}/git/commit, GET {W}/git/log, GET {W}/git/archive, POST {W}/git/push",
}
# The way in, and what programs ask.
WITHOUT = {
    "hook",
    "setup",
    "invitation",
    "internal_credentials",
    "internal_spend",
    "healthz",
    "readyz",
    "metrics",
}


def test_every_page_has_operations_that_do_the_same() -> None:
    pages = {name for path, name in walk(get_resolver()) if not path.startswith(("accounts/", "api/"))}
    assert pages - WITHOUT == SAME_OVER_REST.keys()
    operations = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, methods in api.get_openapi_schema()["paths"].items()
        for method in methods
    }
    for page, named in SAME_OVER_REST.items():
        missing = set(named.split(", ")) - operations
        assert not missing, f"{page} cannot be done over REST: {missing}"
