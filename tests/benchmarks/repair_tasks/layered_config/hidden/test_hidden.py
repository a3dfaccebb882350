import copy
import unittest

import settings

FIRST = copy.deepcopy(settings.DEFAULTS)


class HiddenTests(unittest.TestCase):
    def test_merges_tables(self):
        loaded = settings.load({"server": {"port": 9}})
        self.assertEqual(loaded["server"], {"host": "127.0.0.1", "port": 9, "debug": False})

    def test_defaults_stay(self):
        loaded = settings.load({"server": {"port": 9}, "new": {"a": 1}}, {"APP_SERVER__HOST": "h"})
        loaded["paths"].append("x")
        loaded["server"]["host"] = "changed"
        self.assertEqual(settings.DEFAULTS, FIRST)
        self.assertEqual(settings.load(), FIRST)

    def test_the_users_file_stays(self):
        user = {"server": {"port": 9}, "paths": ["/a"]}
        before = copy.deepcopy(user)
        settings.load(user, {"APP_SERVER__PORT": "10"})["paths"].append("/b")
        self.assertEqual(user, before)

    def test_lists_are_replaced(self):
        self.assertEqual(settings.load({"paths": ["/a"]})["paths"], ["/a"])

    def test_new_keys_are_kept(self):
        self.assertEqual(settings.load({"extra": {"deep": 1}})["extra"], {"deep": 1})

    def test_environment_comes_last_with_the_type_of_the_default(self):
        env = {"APP_SERVER__PORT": "9000", "APP_TIMEOUT": "4", "APP_NAME": "8"}
        loaded = settings.load({"server": {"port": 1}}, env)
        self.assertEqual((loaded["server"]["port"], loaded["timeout"], loaded["name"]), (9000, 4.0, "8"))
        self.assertIsInstance(loaded["timeout"], float)
        self.assertIs(type(loaded["server"]["port"]), int)

    def test_booleans(self):
        for value in ("1", "true", "YES", "On"):
            self.assertIs(settings.load(env={"APP_SERVER__DEBUG": value})["server"]["debug"], True)
        for value in ("0", "False", "no", "OFF"):
            self.assertIs(settings.load(env={"APP_SERVER__DEBUG": value})["server"]["debug"], False)
        with self.assertRaises(ValueError):
            settings.load(env={"APP_SERVER__DEBUG": "maybe"})

    def test_unknown_variables_are_ignored(self):
        env = {
            "APP_NOTHING": "1",
            "APP_SERVER__NOTHING": "1",
            "APP_NAME__DEEP": "1",
            "HOME": "/",
            "XAPP_NAME": "z",
        }
        self.assertEqual(settings.load(env=env), FIRST)
