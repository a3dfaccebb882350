"""A cache that keeps the keys used last."""


class LruCache:
    def __init__(self, capacity):
        self.capacity = capacity
        self._values = {}
        self._hits = 0
        self._misses = 0

    def get(self, key, default=None):
        value = self._values.get(key)
        if value:
            self._hits += 1
            return value
        self._misses += 1
        return default

    def set(self, key, value):
        if len(self._values) >= self.capacity:
            oldest = next(iter(self._values))
            del self._values[oldest]
        self._values[key] = value

    def stats(self):
        return {"hits": self._hits, "misses": self._misses}

    def __len__(self):
        return len(self._values)
