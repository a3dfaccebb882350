import unittest

from order import CycleError, build_order


class HiddenTests(unittest.TestCase):
    def test_diamond(self):
        self.assertEqual(
            build_order({"app": ["b", "a"], "a": ["base"], "b": ["base"]}), ["base", "a", "b", "app"]
        )

    def test_leaves_are_not_forgotten(self):
        self.assertEqual(build_order({"x": ["z", "y"]}), ["y", "z", "x"])
        self.assertEqual(build_order({}), [])

    def test_the_alphabet_decides_among_the_free(self):
        needs = {"d": [], "b": ["d"], "c": [], "a": ["c"]}
        self.assertEqual(build_order(needs), ["c", "a", "d", "b"])
        self.assertEqual(build_order(dict(reversed(needs.items()))), ["c", "a", "d", "b"])

    def test_twice_the_same_need(self):
        self.assertEqual(build_order({"a": ["b", "b"]}), ["b", "a"])

    def test_cycle(self):
        with self.assertRaises(CycleError) as caught:
            build_order({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"], "e": []})
        path = caught.exception.path
        self.assertEqual(path[0], path[-1])
        self.assertEqual(sorted(path[:-1]), ["a", "b", "c"])
        edges = {("a", "b"), ("b", "c"), ("c", "a")}
        pairs = list(zip(path, path[1:], strict=False))
        self.assertTrue(set(pairs) == edges or {(y, x) for x, y in pairs} == edges, path)

    def test_needs_itself(self):
        with self.assertRaises(CycleError) as caught:
            build_order({"a": ["a"]})
        self.assertEqual(caught.exception.path, ["a", "a"])

    def test_long_chain(self):
        names = [f"m{number:05}" for number in range(5000)]
        needs = {names[i]: [names[i + 1]] for i in range(4999)}
        self.assertEqual(build_order(needs), names[::-1])

    def test_the_argument_stays(self):
        needs = {"b": ["a"]}
        build_order(needs)
        self.assertEqual(needs, {"b": ["a"]})
