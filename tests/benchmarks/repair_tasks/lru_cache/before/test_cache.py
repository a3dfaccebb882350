import unittest

from cache import LruCache


class CacheTests(unittest.TestCase):
    def test_keeps_what_fits(self):
        cache = LruCache(2)
        cache.set("a", 1)
        cache.set("b", 2)
        self.assertEqual((cache.get("a"), cache.get("b")), (1, 2))

    def test_evicts_the_oldest(self):
        cache = LruCache(2)
        for key in "abc":
            cache.set(key, key)
        self.assertIsNone(cache.get("a"))
        self.assertEqual(len(cache), 2)


if __name__ == "__main__":
    unittest.main()
