"""Totals of a bank export: lines of payee, amount, date."""

import csv
import io
from decimal import Decimal


def parse_amount(text):
    text = text.strip().replace(",", "")
    if text.startswith("(") and text.endswith(")"):
        return -Decimal(text[1:-1])
    return Decimal(text)


def totals_by_payee(text):
    """Return a dict of payee to the sum of its amounts."""
    totals = {}
    for row in csv.reader(io.StringIO(text, newline="")):
        if not row or not any(cell.strip() for cell in row):
            continue
        payee, amount, _date = row
        totals[payee] = totals.get(payee, Decimal(0)) + parse_amount(amount)
    return totals
