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
        """Return the mean grade of `student`, or None without grades."""
        grades = self.grades[student]
        return sum(grades) / len(grades) if grades else None

    def best(self):
        """Return the student with the highest average, or None if there is none."""
        graded = [student for student in self.grades if self.grades[student]]
        return max(graded, key=self.average, default=None)
