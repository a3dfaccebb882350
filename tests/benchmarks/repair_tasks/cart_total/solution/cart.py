"""A shopping cart."""


class Cart:
    def __init__(self):
        self.lines = []

    def add(self, name, price, quantity=1):
        if quantity < 1:
            raise ValueError("quantity must be at least 1")
        self.lines.append({"name": name, "price": price, "quantity": quantity})

    def total(self):
        """Return what all lines cost together."""
        return sum(line["price"] * line["quantity"] for line in self.lines)

    def count(self):
        """Return how many articles lie in the cart."""
        return sum(line["quantity"] for line in self.lines)
