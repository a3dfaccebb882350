import unittest

from durations import parse_duration


class HiddenTests(unittest.TestCase):
    def test_units(self):
        self.assertEqual(parse_duration("2m"), 120)
        self.assertEqual(parse_duration("1h0m5s"), 3605)

    def test_days(self):
        self.assertEqual(parse_duration("2d"), 172800)
        self.assertEqual(parse_duration("1d1h"), 90000)

    def test_refuses_what_is_none(self):
        for text in ("", "5", "h", "5x", "5 m"):
            with self.assertRaises(ValueError):
                parse_duration(text)
