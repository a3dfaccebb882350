"""Grades of students."""


class GradeBook:
    def __init__(self):
        self.grades = {}

    def enrol(self, student):
        self.grades.setdefault(student, [])

    def add(self, student, grade):
        self.enrol(student)
        self.grades[student].append(grade)

    def average(self, student):
        """Return the mean grade of `student`."""
        grades = self.grades[student]
        return sum(grades) / len(grades)

    def best(self):
        """Return the student with the highest average, or None if there is none."""
        return max(self.grades, key=self.average, default=None)
