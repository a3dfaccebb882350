"""Pages of reviews and the pieces that htmx swaps."""
