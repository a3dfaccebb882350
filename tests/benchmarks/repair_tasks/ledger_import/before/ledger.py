"""Totals of a bank export: lines of payee, amount, date."""

from decimal import Decimal


def parse_line(line):
    payee, amount, date = line.split(",")
    return payee, Decimal(amount), date


def totals_by_payee(text):
    """Return a dict of payee to the sum of its amounts."""
    totals = {}
    for line in text.split("\n"):
        payee, amount, _date = parse_line(line)
        totals[payee] = totals.get(payee, Decimal(0)) + amount
    return totals
