"""Free slots between bookings; a booking is (start, end) in minutes of the day."""


def free_slots(bookings, opens=480, closes=1080, minimum=30):
    """Return the free (start, end) slots of at least `minimum` minutes, in order."""
    slots = []
    at = opens
    for start, end in sorted(bookings):
        start = min(start, closes)
        if start - at >= minimum:
            slots.append((at, start))
        at = max(at, end)
    if closes - at >= minimum:
        slots.append((at, closes))
    return slots
