import unittest

import settings


class SettingsTests(unittest.TestCase):
    def test_a_user_can_change_a_name(self):
        self.assertEqual(settings.load({"name": "mine"})["name"], "mine")


if __name__ == "__main__":
    unittest.main()
