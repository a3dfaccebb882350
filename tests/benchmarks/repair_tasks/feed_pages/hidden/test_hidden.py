import re
import unittest

from pages import BadCursor, page
from store import Store


def filled(times):
    store = Store()
    for at in times:
        store.add(at, "x")
    return store


def scroll(store, size, between=lambda: None):
    seen, cursor = [], None
    for _ in range(100):
        got = page(store, size=size, cursor=cursor)
        seen += [(entry.at, entry.id) for entry in got["entries"]]
        cursor = got["next"]
        if cursor is None:
            return seen
        between()
    raise AssertionError("the feed has no end")


class HiddenTests(unittest.TestCase):
    def test_equal_times(self):
        for size in (1, 2, 3, 5):
            seen = scroll(filled([7, 7, 7, 7, 3, 3, 9]), size)
            expected = [(9, 7), (7, 4), (7, 3), (7, 2), (7, 1), (3, 6), (3, 5)]
            self.assertEqual(seen, expected, size)

    def test_new_entries_disturb_nobody(self):
        store = filled([5, 5, 4, 4, 3])
        seen = scroll(store, 2, between=lambda: store.add(9, "new"))
        self.assertEqual(seen, [(5, 2), (5, 1), (4, 4), (4, 3), (3, 5)])

    def test_a_full_last_page_is_the_last(self):
        self.assertIsNone(page(filled([1, 2, 3]), size=3)["next"])
        self.assertEqual(len(scroll(filled([1, 1, 1, 1]), 2)), 4)

    def test_an_empty_feed(self):
        self.assertEqual(page(Store()), {"entries": [], "next": None})

    def test_negative_times(self):
        self.assertEqual(scroll(filled([-1, -5, -1]), 1), [(-1, 3), (-1, 1), (-5, 2)])

    def test_cursor_fits_in_a_url(self):
        cursor = page(filled([-3, -3, -3, -4]), size=2)["next"]
        self.assertRegex(cursor, re.compile(r"\A[A-Za-z0-9_-]+\Z"))

    def test_bad_cursors(self):
        for cursor in ("", "nonsense!", "abc", "1-", "-", "ä", "1" * 300 + "_x"):
            with self.assertRaises(BadCursor, msg=cursor):
                page(filled([1, 2]), size=1, cursor=cursor)
