import unittest

from grades import GradeBook


class HiddenTests(unittest.TestCase):
    def test_best_leaves_out_who_has_none(self):
        book = GradeBook()
        book.enrol("Bob")
        book.add("Ada", 4)
        book.add("Cy", 5)
        self.assertEqual(book.best(), "Cy")

    def test_nobody_has_any(self):
        book = GradeBook()
        self.assertIsNone(book.best())
        book.enrol("Bob")
        self.assertIsNone(book.best())
        self.assertIsNone(book.average("Bob"))

    def test_a_grade_of_nought_counts(self):
        book = GradeBook()
        book.add("Dan", 0)
        self.assertEqual((book.average("Dan"), book.best()), (0, "Dan"))
