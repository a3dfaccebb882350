"""Addresses of the agents pages."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path

from webapp.agents.internal import credentials
from webapp.agents.internal import spend as internal_spend
from webapp.agents.policies import views as policies
from webapp.agents.views import definitions, models, routes, run_parts, runs, spending, steering


def _model_pages(prefix: str, kind: str, name: str) -> list[URLPattern]:
    extra: dict[str, Any] = {"kind": kind}
    return [
        path(prefix, models.profiles, extra, name=name),
        path(f"{prefix}add/", models.edit, extra, name=f"{name}_add"),
        path(f"{prefix}embedded/", models.embedded_state, extra, name=f"{name}_embedded"),
        path(f"{prefix}embedded/test/", models.test, extra, name=f"{name}_test_embedded"),
        path(f"{prefix}<int:profile_id>/", models.edit, extra, name=f"{name}_edit"),
        path(f"{prefix}<int:profile_id>/delete/", models.delete, extra, name=f"{name}_delete"),
        path(f"{prefix}<int:profile_id>/default/", models.default, extra, name=f"{name}_default"),
        path(f"{prefix}<int:profile_id>/test/", models.test, extra, name=f"{name}_test"),
    ]


urlpatterns = [
    path("w/<int:workspace_id>/agents/", definitions.gallery, name="workspace_agents"),
    path("w/<int:workspace_id>/agents/new/", definitions.define, name="define_agent"),
    path("w/<int:workspace_id>/agents/<int:definition_id>/", definitions.agent, name="agent"),
    path("w/<int:workspace_id>/agents/<int:definition_id>/change/", definitions.change, name="change_agent"),
    path(
        "w/<int:workspace_id>/agents/<int:definition_id>/archive/", definitions.archive, name="archive_agent"
    ),
    path(
        "w/<int:workspace_id>/agents/<int:definition_id>/versions/<int:number>/",
        definitions.version,
        name="agent_version",
    ),
    path(
        "w/<int:workspace_id>/agents/<int:definition_id>/versions/<int:number>/restore/",
        definitions.restore,
        name="restore_agent",
    ),
    path("w/<int:workspace_id>/runs/", runs.runs, name="workspace_runs"),
    path("w/<int:workspace_id>/runs/start/", runs.start, name="start_run"),
    path("w/<int:workspace_id>/runs/<uuid:run_id>/", runs.run, name="run"),
    path("w/<int:workspace_id>/runs/<uuid:run_id>/timeline/", run_parts.over_time, name="run_timeline"),
    path("w/<int:workspace_id>/runs/<uuid:run_id>/log/", run_parts.log, name="run_log"),
    path("w/<int:workspace_id>/runs/<uuid:run_id>/state/", runs.state, name="run_state"),
    path("w/<int:workspace_id>/runs/<uuid:run_id>/card/", runs.card, name="run_card"),
    path("w/<int:workspace_id>/runs/<uuid:run_id>/row/", runs.row, name="run_row"),
    path("w/<int:workspace_id>/runs/<uuid:run_id>/cancel/", runs.cancel, name="cancel_run"),
    path("w/<int:workspace_id>/runs/<uuid:run_id>/retry/", runs.retry, name="retry_run"),
    path("w/<int:workspace_id>/runs/<uuid:run_id>/suspend/", runs.suspend, name="suspend_run"),
    path("w/<int:workspace_id>/runs/<uuid:run_id>/resume/", runs.resume, name="resume_run"),
    path("w/<int:workspace_id>/runs/<uuid:run_id>/priority/", runs.priority, name="run_priority"),
    path("w/<int:workspace_id>/runs/<uuid:run_id>/dismiss/", runs.dismiss, name="dismiss_run"),
    path("w/<int:workspace_id>/runs/<uuid:run_id>/steer/", steering.steer, name="steer_run"),
    path("w/<int:workspace_id>/runs/<uuid:run_id>/rerun/", steering.rerun, name="rerun"),
    path("w/<int:workspace_id>/runs/<uuid:run_id>/lineage/", steering.run_lineage, name="run_lineage"),
    path("w/<int:workspace_id>/runs/<uuid:run_id>/steps/<str:step_id>/", runs.step, name="run_step"),
    path(
        "w/<int:workspace_id>/runs/<uuid:run_id>/approvals/<str:step_id>/",
        policies.decide,
        name="decide_approval",
    ),
    path("w/<int:workspace_id>/settings/policy/", policies.policy, name="workspace_policy"),
    path("w/<int:workspace_id>/settings/policy/<int:number>/", policies.version, name="policy_version"),
    path(
        "w/<int:workspace_id>/settings/policy/<int:number>/restore/", policies.restore, name="restore_policy"
    ),
    *_model_pages("settings/models/", "person", "my_models"),
    *_model_pages("w/<int:workspace_id>/settings/models/", "workspace", "workspace_models"),
    path("w/<int:workspace_id>/settings/models/budget/", models.budget, name="workspace_budget"),
    path("w/<int:workspace_id>/settings/models/agents/", routes.agent_models, name="agent_models"),
    path("w/<int:workspace_id>/settings/models/prices/", spending.price_table, name="workspace_prices"),
    path(
        "w/<int:workspace_id>/settings/models/prices/delete/",
        spending.delete_price,
        name="workspace_price_delete",
    ),
    path("w/<int:workspace_id>/spend/", spending.spend, name="workspace_spend"),
    path("w/<int:workspace_id>/spend/limits/", spending.limits, name="workspace_spend_limits"),
    *_model_pages("installation/models/", "installation", "installation_models"),
    path("internal/credentials/", credentials, name="internal_credentials"),
    path("internal/spend/", internal_spend, name="internal_spend"),
]
