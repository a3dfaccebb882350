"""Writes about reviews."""

from webapp.reviews.services.closing import discard, reopen
from webapp.reviews.services.commenting import comment, hand_turn, resolve_comment, send_comments
from webapp.reviews.services.deciding import decide_file, decide_hunk, undo_decision
from webapp.reviews.services.evidence import (
    cancel_evidence,
    reap_evidence,
    record_evidence,
    record_interrupted,
    run_on_commit,
    run_tests_on_accepted,
)
from webapp.reviews.services.landing import apply, revert
from webapp.reviews.services.opening import open_review
from webapp.reviews.services.proposing import mark_seen, return_turn
from webapp.reviews.services.recovery import audit_landings, recover_open_intents
from webapp.reviews.services.reviewing import (
    announce_reviewing,
    ask_review,
    prepare_review,
    prepare_tests,
    record_review,
)

__all__ = [
    "announce_reviewing",
    "apply",
    "ask_review",
    "audit_landings",
    "cancel_evidence",
    "comment",
    "decide_file",
    "decide_hunk",
    "discard",
    "hand_turn",
    "mark_seen",
    "open_review",
    "prepare_review",
    "prepare_tests",
    "reap_evidence",
    "record_evidence",
    "record_interrupted",
    "record_review",
    "recover_open_intents",
    "reopen",
    "resolve_comment",
    "return_turn",
    "revert",
    "run_on_commit",
    "run_tests_on_accepted",
    "send_comments",
    "undo_decision",
]
