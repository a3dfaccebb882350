"""How often each word stands in a text."""

PUNCTUATION = ".,;:!?\"'()"


def count_words(text):
    """Return a dict from each word to how often it stands in `text`."""
    counts = {}
    for word in text.lower().split():
        word = word.strip(PUNCTUATION)
        if word:
            counts[word] = counts.get(word, 0) + 1
    return counts
