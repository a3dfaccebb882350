import unittest

import retry


class RetryTests(unittest.TestCase):
    def test_returns_the_value(self):
        self.assertEqual(retry.call(lambda: 7), 7)

    def test_tries_again(self):
        answers = [OSError("once"), 5]

        def function():
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        self.assertEqual(retry.call(function, sleep=lambda seconds: None), 5)


if __name__ == "__main__":
    unittest.main()
