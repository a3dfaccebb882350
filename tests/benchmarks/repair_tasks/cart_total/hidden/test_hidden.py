import unittest

from cart import Cart


class HiddenTests(unittest.TestCase):
    def test_total_of_several_lines(self):
        cart = Cart()
        cart.add("pencil", 2, 10)
        cart.add("book", 15)
        self.assertEqual((cart.total(), cart.count()), (35, 11))

    def test_nothing(self):
        self.assertEqual(Cart().total(), 0)

    def test_refuses_no_quantity(self):
        with self.assertRaises(ValueError):
            Cart().add("pencil", 2, 0)
