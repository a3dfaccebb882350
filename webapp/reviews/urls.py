"""Addresses of the reviews pages."""

from __future__ import annotations

from django.urls import path

from webapp.reviews.views import acts, comments, hunks, pages

_ONE = "w/<int:workspace_id>/reviews/<int:change_set_id>/"

urlpatterns = [
    path("w/<int:workspace_id>/reviews/", pages.reviews, name="workspace_reviews"),
    path("w/<int:workspace_id>/reviews/rows/", pages.rows, name="review_rows"),
    path(_ONE, pages.review, name="review"),
    path(f"{_ONE}header/", pages.header, name="review_header"),
    path(f"{_ONE}health/", pages.health, name="review_health"),
    path(f"{_ONE}files/<slug:file_id>/", pages.file, name="review_file"),
    path(f"{_ONE}hunks/<slug:key>/", hunks.hunk, name="review_hunk"),
    path(f"{_ONE}hunks/<slug:key>/decide/", hunks.decide, name="review_decide"),
    path(f"{_ONE}hunks/<slug:key>/edit/", hunks.edit, name="review_edit"),
    path(f"{_ONE}hunks/<slug:key>/split/", hunks.split, name="review_split"),
    path(f"{_ONE}files/<slug:file_id>/decide/", hunks.decide_file, name="review_decide_file"),
    path(f"{_ONE}decide/", hunks.decide_all, name="review_decide_all"),
    path(f"{_ONE}undo/", hunks.undo, name="review_undo"),
    path(f"{_ONE}comments/", comments.comment, name="review_comment"),
    path(f"{_ONE}comments/form/", comments.form, name="review_comment_form"),
    path(f"{_ONE}comments/<int:comment_id>/reply/", comments.reply, name="review_reply"),
    path(f"{_ONE}comments/<int:comment_id>/resolve/", comments.resolve, name="review_resolve"),
    path(f"{_ONE}comments/send/", comments.send, name="review_send"),
    path(f"{_ONE}comments/ask-reviewer/", comments.ask_review, name="review_ask_reviewer"),
    path(f"{_ONE}evidence/", acts.evidence, name="review_evidence"),
    path(f"{_ONE}evidence/<int:evidence_id>/cancel/", acts.cancel_evidence, name="review_cancel_evidence"),
    path(f"{_ONE}apply/", acts.apply, name="review_apply"),
    path(f"{_ONE}revert/", acts.revert, name="review_revert"),
    path(f"{_ONE}discard/", acts.discard, name="review_discard"),
    path(f"{_ONE}reopen/", acts.reopen, name="review_reopen"),
]
