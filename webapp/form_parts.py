"""A long form in two parts: what everybody fills in, and what may be left as it is."""

from __future__ import annotations

from collections.abc import Collection

from django import forms


class FormPart:
    """Some of a form's fields, as `_fields.html` shows a form; what is wrong with the whole stands above the first part."""

    def __init__(self, form: forms.Form, fields: list[forms.BoundField], *, is_first: bool = True) -> None:
        self.visible_fields = fields
        self.hidden_fields = form.hidden_fields() if is_first else []
        self.non_field_errors = form.non_field_errors() if is_first else ""
        self.has_errors = any(field.errors for field in fields)


def split_form(form: forms.Form, later: Collection[str]) -> tuple[FormPart, FormPart]:
    """Return the fields that everybody fills in, and those named in `later`."""
    fields = form.visible_fields()
    first = [field for field in fields if field.name not in later]
    return FormPart(form, first), FormPart(form, [f for f in fields if f.name in later], is_first=False)
