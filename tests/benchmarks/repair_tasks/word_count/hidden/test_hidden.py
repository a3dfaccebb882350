import unittest

from words import count_words


class HiddenTests(unittest.TestCase):
    def test_case_and_punctuation(self):
        self.assertEqual(count_words('"Stop," he said. Stop!'), {"stop": 2, "he": 1, "said": 1})

    def test_keeps_what_stands_inside_a_word(self):
        self.assertEqual(count_words("don't Don't"), {"don't": 2})

    def test_nothing(self):
        self.assertEqual(count_words(""), {})
