import unittest

from sizes import format_size


class SizeTests(unittest.TestCase):
    def test_small(self):
        self.assertEqual(format_size(5), "5.0 B")

    def test_full_unit(self):
        self.assertEqual(format_size(1024), "1.0 KB")


if __name__ == "__main__":
    unittest.main()
