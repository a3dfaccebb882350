import unittest

from site_pages import Site
from slugs import slugify, unique_slug


class HiddenTests(unittest.TestCase):
    def test_accents(self):
        self.assertEqual(slugify("Über uns"), "uber-uns")
        self.assertEqual(slugify("Crème brûlée"), "creme-brulee")
        self.assertEqual(slugify("Straße"), "strasse")

    def test_dashes(self):
        self.assertEqual(slugify("  Hello --  World!  "), "hello-world")
        self.assertEqual(slugify("a_b/c"), "a-b-c")

    def test_nothing_left(self):
        self.assertEqual(slugify("!!!"), "page")
        self.assertEqual(slugify(""), "page")
        self.assertEqual(slugify("日本"), "page")

    def test_counts_on(self):
        site = Site()
        self.assertEqual([site.add("News") for _ in range(4)], ["news", "news-2", "news-3", "news-4"])
        self.assertEqual(len(site.pages), 4)

    def test_takes_the_first_free_number(self):
        self.assertEqual(unique_slug("a", {"a", "a-2", "a-4"}), "a-3")

    def test_length(self):
        taken = set()
        for _ in range(12):
            slug = unique_slug("abcdefghij", taken, max_length=8)
            self.assertLessEqual(len(slug), 8)
            self.assertNotIn(slug, taken)
            self.assertFalse(slug.endswith("-"))
            taken.add(slug)
        self.assertIn("abcdefgh", taken)
        self.assertIn("abcdef-2", taken)
        self.assertIn("abcde-12", taken)

    def test_cut_leaves_no_dash_at_the_end(self):
        self.assertEqual(unique_slug("abc def", set(), max_length=4), "abc")
