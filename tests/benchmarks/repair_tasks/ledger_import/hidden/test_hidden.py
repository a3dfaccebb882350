import unittest
from decimal import Decimal

from ledger import totals_by_payee


class HiddenTests(unittest.TestCase):
    def test_plain(self):
        self.assertEqual(totals_by_payee("A,1.10,d\nA,2.20,d"), {"A": Decimal("3.30")})

    def test_quoted_comma(self):
        self.assertEqual(
            totals_by_payee('"Miller, Sons & Co",12.50,d'), {"Miller, Sons & Co": Decimal("12.50")}
        )

    def test_quoted_quote(self):
        self.assertEqual(totals_by_payee('"The ""Old"" Inn",3,d'), {'The "Old" Inn': Decimal(3)})

    def test_windows_and_blank_lines(self):
        self.assertEqual(totals_by_payee("A,1,d\r\n\r\nB,2,d\r\n"), {"A": Decimal(1), "B": Decimal(2)})

    def test_thousands(self):
        self.assertEqual(totals_by_payee('A,"1,234.50",d\nA,"1,000,000.00",d'), {"A": Decimal("1001234.50")})

    def test_parentheses(self):
        self.assertEqual(totals_by_payee('A,(20.00),d\nA,"(1,000.00)",d'), {"A": Decimal("-1020.00")})

    def test_empty(self):
        self.assertEqual(totals_by_payee(""), {})

    def test_kind(self):
        self.assertIsInstance(totals_by_payee("A,1,d")["A"], Decimal)
