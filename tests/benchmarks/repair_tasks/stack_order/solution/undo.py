"""What was done, to be taken back."""


class UndoList:
    def __init__(self):
        self.changes = []

    def did(self, change):
        self.changes.append(change)

    def undo(self):
        """Remove the change that is to be taken back, and return it; None when there is none."""
        return self.changes.pop() if self.changes else None

    def __len__(self):
        return len(self.changes)
