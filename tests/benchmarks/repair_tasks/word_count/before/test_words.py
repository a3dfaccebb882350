import unittest

from words import count_words


class WordTests(unittest.TestCase):
    def test_counts_each_word(self):
        self.assertEqual(count_words("a b a"), {"a": 2, "b": 1})

    def test_case_makes_no_difference(self):
        self.assertEqual(count_words("The end of the story"), {"the": 2, "end": 1, "of": 1, "story": 1})

    def test_punctuation_is_no_part_of_a_word(self):
        self.assertEqual(count_words("the end. (end)"), {"the": 1, "end": 2})


if __name__ == "__main__":
    unittest.main()
