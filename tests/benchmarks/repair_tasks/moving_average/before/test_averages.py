import unittest

from averages import moving_average


class AverageTests(unittest.TestCase):
    def test_goes_to_the_end(self):
        self.assertEqual(moving_average([1, 2, 3], 2), [1.5, 2.5])


if __name__ == "__main__":
    unittest.main()
