import unittest

from order import build_order


class OrderTests(unittest.TestCase):
    def test_a_chain(self):
        self.assertEqual(build_order({"c": ["b"], "b": ["a"], "a": []}), ["a", "b", "c"])

    def test_a_diamond(self):
        needs = {"app": ["a", "b"], "a": ["base"], "b": ["base"]}
        self.assertEqual(build_order(needs), ["base", "a", "b", "app"])


if __name__ == "__main__":
    unittest.main()
