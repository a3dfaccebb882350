"""The form of a lesson."""

from __future__ import annotations

from django import forms
from django.http import QueryDict

from webapp.learning.models import Lesson
from webapp.seen import DIGEST_CHARS
from workers.learning.lesson import CAUSE_CHARS, PATTERN_CHARS, SOLUTION_CHARS


class LessonForm(forms.Form):
    """A lesson in a person's words."""

    pattern = forms.CharField(
        label="What goes wrong",
        max_length=PATTERN_CHARS,
        help_text="One sentence; it decides which goals the lesson fits.",
    )
    cause = forms.CharField(
        label="Why", max_length=CAUSE_CHARS, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    solution = forms.CharField(
        label="What to do instead",
        max_length=SOLUTION_CHARS,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class EditLessonForm(LessonForm):
    """A lesson in other words than it has now."""

    seen = forms.CharField(max_length=DIGEST_CHARS, required=False, widget=forms.HiddenInput)

    def __init__(self, data: QueryDict | None, *, lesson: Lesson) -> None:
        words = {name: getattr(lesson, name) for name in LessonForm.base_fields}
        super().__init__(data, initial=words | {"seen": lesson.seen})
