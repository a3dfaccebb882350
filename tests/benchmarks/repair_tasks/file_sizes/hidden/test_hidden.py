import unittest

from sizes import format_size


class HiddenTests(unittest.TestCase):
    def test_edges(self):
        self.assertEqual(format_size(1023), "1023.0 B")
        self.assertEqual(format_size(1024**2), "1.0 MB")
        self.assertEqual(format_size(1536), "1.5 KB")

    def test_largest_unit(self):
        self.assertEqual(format_size(5 * 1024**4), "5120.0 GB")

    def test_nothing(self):
        self.assertEqual(format_size(0), "0.0 B")
