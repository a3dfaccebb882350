import unittest

from cart import Cart


class CartTests(unittest.TestCase):
    def test_total(self):
        cart = Cart()
        cart.add("pencil", 2, 10)
        self.assertEqual(cart.total(), 20)
        self.assertEqual(cart.count(), 10)


if __name__ == "__main__":
    unittest.main()
