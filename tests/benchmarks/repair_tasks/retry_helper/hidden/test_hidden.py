import unittest

import retry


class Failing:
    def __init__(self, *errors):
        self.errors = list(errors)
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


class HiddenTests(unittest.TestCase):
    def setUp(self):
        self.waits = []

    def call(self, function, **options):
        return retry.call(function, sleep=self.waits.append, **options)

    def test_uses_every_try(self):
        function = Failing(OSError(1), OSError(2))
        self.assertEqual(self.call(function, tries=3), "done")
        self.assertEqual(function.calls, 3)

    def test_raises_the_last_error(self):
        function = Failing(OSError("first"), OSError("second"), OSError("third"))
        with self.assertRaisesRegex(OSError, "third"):
            self.call(function, tries=3)
        self.assertEqual((function.calls, len(self.waits)), (3, 2))

    def test_one_try(self):
        with self.assertRaises(OSError):
            self.call(Failing(OSError()), tries=1)
        self.assertEqual(self.waits, [])

    def test_other_errors_pass_at_once(self):
        for error in (ValueError(), KeyboardInterrupt(), SystemExit()):
            function = Failing(error)
            with self.assertRaises(type(error)):
                self.call(function)
            self.assertEqual((function.calls, self.waits), (1, []))

    def test_chosen_errors(self):
        self.assertEqual(self.call(Failing(ValueError(), KeyError()), on=(ValueError, KeyError)), "done")

    def test_keyboard_interrupt_passes_whatever_is_listed(self):
        function = Failing(KeyboardInterrupt())
        with self.assertRaises(KeyboardInterrupt):
            self.call(function, on=(BaseException,))
        self.assertEqual(function.calls, 1)

    def test_doubles_up_to_the_longest(self):
        function = Failing(*[OSError()] * 5)
        self.call(function, tries=6, wait=1.0, longest=5.0)
        self.assertEqual(self.waits, [1.0, 2.0, 4.0, 5.0, 5.0])
