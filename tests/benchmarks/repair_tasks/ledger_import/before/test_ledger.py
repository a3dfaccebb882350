import unittest
from decimal import Decimal

from ledger import totals_by_payee


class LedgerTests(unittest.TestCase):
    def test_sums_by_payee(self):
        text = "Bakery,2.50,2026-01-02\nRent,500,2026-01-03\nBakery,1.25,2026-01-04"
        self.assertEqual(totals_by_payee(text), {"Bakery": Decimal("3.75"), "Rent": Decimal(500)})


if __name__ == "__main__":
    unittest.main()
