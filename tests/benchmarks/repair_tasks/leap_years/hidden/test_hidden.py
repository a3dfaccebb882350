import unittest

from months import days_in_month, is_leap_year


class HiddenTests(unittest.TestCase):
    def test_leap_years(self):
        found = [year for year in (1600, 1700, 1900, 1996, 2000, 2001, 2100, 2400) if is_leap_year(year)]
        self.assertEqual(found, [1600, 1996, 2000, 2400])

    def test_months(self):
        self.assertEqual([days_in_month(2100, month) for month in (1, 2, 4, 12)], [31, 28, 30, 31])
        self.assertEqual(days_in_month(2000, 2), 29)
