import unittest

from pages import page
from store import Store


class PageTests(unittest.TestCase):
    def test_goes_through_the_feed(self):
        store = Store()
        for at in range(5):
            store.add(at, f"entry {at}")
        first = page(store, size=3)
        self.assertEqual([entry.at for entry in first["entries"]], [4, 3, 2])
        second = page(store, size=3, cursor=first["next"])
        self.assertEqual([entry.at for entry in second["entries"]], [1, 0])
        self.assertIsNone(second["next"])


if __name__ == "__main__":
    unittest.main()
