"""In which order modules are built."""


class CycleError(Exception):
    def __init__(self, path):
        super().__init__(" -> ".join(path))
        self.path = path


def build_order(needs):
    """Return all modules so that each stands after what it needs.

    `needs` maps a module's name to the names that it needs.
    """
    done = []
    seen = set()

    def visit(name):
        if name in seen:
            raise CycleError([name])
        seen.add(name)
        for other in needs.get(name, []):
            if other not in done:
                visit(other)
        done.append(name)

    for name in needs:
        if name not in done:
            visit(name)
    return done
