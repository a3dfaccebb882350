import unittest

from undo import UndoList


class HiddenTests(unittest.TestCase):
    def test_order(self):
        done = UndoList()
        for change in "abc":
            done.did(change)
        self.assertEqual([done.undo(), done.undo(), done.undo()], ["c", "b", "a"])

    def test_nothing_left(self):
        done = UndoList()
        self.assertIsNone(done.undo())
        done.did("a")
        done.undo()
        self.assertIsNone(done.undo())
        self.assertEqual(len(done), 0)
