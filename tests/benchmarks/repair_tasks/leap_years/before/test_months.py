import unittest

from months import days_in_month, is_leap_year


class MonthTests(unittest.TestCase):
    def test_leap_years(self):
        self.assertTrue(is_leap_year(2024))
        self.assertFalse(is_leap_year(2023))
        self.assertFalse(is_leap_year(1900))

    def test_february(self):
        self.assertEqual(days_in_month(2024, 2), 29)


if __name__ == "__main__":
    unittest.main()
