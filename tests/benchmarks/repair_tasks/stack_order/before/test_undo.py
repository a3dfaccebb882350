import unittest

from undo import UndoList


class UndoTests(unittest.TestCase):
    def test_newest_first(self):
        done = UndoList()
        done.did("type a")
        done.did("type b")
        self.assertEqual(done.undo(), "type b")


if __name__ == "__main__":
    unittest.main()
