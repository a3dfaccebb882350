import unittest

from averages import moving_average


class HiddenTests(unittest.TestCase):
    def test_each_window(self):
        self.assertEqual(moving_average([1, 2, 3, 4], 3), [2.0, 3.0])
        self.assertEqual(moving_average([4, 8], 1), [4.0, 8.0])

    def test_a_window_as_long_as_the_list(self):
        self.assertEqual(moving_average([2, 4], 2), [3.0])

    def test_too_few_values(self):
        self.assertEqual(moving_average([1], 2), [])
        self.assertEqual(moving_average([], 1), [])

    def test_refuses_an_empty_window(self):
        with self.assertRaises(ValueError):
            moving_average([1], 0)
