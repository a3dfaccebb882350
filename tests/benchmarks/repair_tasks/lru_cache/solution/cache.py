"""A cache that keeps the keys used last."""


class LruCache:
    def __init__(self, capacity):
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self.capacity = capacity
        self._values = {}
        self._hits = 0
        self._misses = 0

    def get(self, key, default=None):
        if key not in self._values:
            self._misses += 1
            return default
        self._hits += 1
        value = self._values.pop(key)
        self._values[key] = value
        return value

    def set(self, key, value):
        self._values.pop(key, None)
        if len(self._values) >= self.capacity:
            oldest = next(iter(self._values))
            del self._values[oldest]
        self._values[key] = value

    def stats(self):
        return {"hits": self._hits, "misses": self._misses}

    def __len__(self):
        return len(self._values)
