import unittest

from site_pages import Site
from slugs import slugify


class SlugTests(unittest.TestCase):
    def test_makes_words_lower_case(self):
        self.assertEqual(slugify("Hello World"), "hello-world")

    def test_a_second_page_gets_a_number(self):
        site = Site()
        self.assertEqual([site.add("News"), site.add("News")], ["news", "news-2"])


if __name__ == "__main__":
    unittest.main()
