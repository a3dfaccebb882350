import unittest

from bookings import free_slots


class BookingTests(unittest.TestCase):
    def test_a_day_with_two_bookings(self):
        self.assertEqual(free_slots([(540, 600), (720, 780)]), [(480, 540), (600, 720), (780, 1080)])

    def test_a_free_day(self):
        self.assertEqual(free_slots([]), [(480, 1080)])


if __name__ == "__main__":
    unittest.main()
