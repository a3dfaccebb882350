import unittest

from cache import LruCache


class HiddenTests(unittest.TestCase):
    def test_get_is_a_use(self):
        cache = LruCache(2)
        cache.set("a", 1)
        cache.set("b", 2)
        cache.get("a")
        cache.set("c", 3)
        self.assertEqual((cache.get("a"), cache.get("b"), cache.get("c")), (1, None, 3))

    def test_set_again_evicts_nobody_and_is_a_use(self):
        cache = LruCache(2)
        cache.set("a", 1)
        cache.set("b", 2)
        cache.set("a", 9)
        self.assertEqual((len(cache), cache.get("b")), (2, 2))
        cache = LruCache(2)
        cache.set("a", 1)
        cache.set("b", 2)
        cache.set("a", 9)
        cache.set("c", 3)
        self.assertEqual((cache.get("a"), cache.get("b")), (9, None))

    def test_false_values_are_hits(self):
        cache = LruCache(3)
        cache.set("none", None)
        cache.set("zero", 0)
        self.assertIsNone(cache.get("none", "default"))
        self.assertEqual(cache.get("zero", "default"), 0)
        self.assertEqual(cache.get("gone", "default"), "default")
        self.assertEqual(cache.stats(), {"hits": 2, "misses": 1})

    def test_a_miss_is_no_use(self):
        cache = LruCache(1)
        cache.set("a", 1)
        cache.get("b")
        self.assertEqual(cache.get("a"), 1)

    def test_capacity(self):
        for capacity in (0, -1):
            with self.assertRaises(ValueError):
                LruCache(capacity)
        cache = LruCache(1)
        cache.set("a", 1)
        cache.set("b", 2)
        self.assertEqual(len(cache), 1)
