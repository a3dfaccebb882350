import unittest

from grades import GradeBook


class GradeTests(unittest.TestCase):
    def test_average(self):
        book = GradeBook()
        book.add("Ada", 4)
        book.add("Ada", 5)
        self.assertEqual(book.average("Ada"), 4.5)

    def test_no_grades(self):
        book = GradeBook()
        book.enrol("Bob")
        self.assertIsNone(book.average("Bob"))


if __name__ == "__main__":
    unittest.main()
