"""Days in the months of the Gregorian calendar."""

DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]


def is_leap_year(year):
    return year % 4 == 0


def days_in_month(year, month):
    """Return the number of days of `month` (1 to 12) in `year`."""
    if month == 2 and is_leap_year(year):
        return 29
    return DAYS[month - 1]
