"""In which order modules are built."""

import heapq


class CycleError(Exception):
    def __init__(self, path):
        super().__init__(" -> ".join(path))
        self.path = path


def build_order(needs):
    """Return all modules so that each stands after what it needs.

    `needs` maps a module's name to the names that it needs.
    """
    waits_for = {name: set(others) for name, others in needs.items()}
    for others in needs.values():
        for other in others:
            waits_for.setdefault(other, set())
    needed_by = {name: [] for name in waits_for}
    for name, others in waits_for.items():
        for other in others:
            needed_by[other].append(name)
    free = [name for name, others in waits_for.items() if not others]
    heapq.heapify(free)
    done = []
    while free:
        name = heapq.heappop(free)
        done.append(name)
        for user in needed_by[name]:
            waits_for[user].discard(name)
            if not waits_for[user]:
                heapq.heappush(free, user)
    if len(done) < len(waits_for):
        raise CycleError(find_cycle({name: others for name, others in waits_for.items() if others}))
    return done


def find_cycle(waits_for):
    """Follow one need after the other until a module comes again: every module left waits for another one left."""
    path, position = [], {}
    name = min(waits_for)
    while name not in position:
        position[name] = len(path)
        path.append(name)
        name = min(other for other in waits_for[name] if other in waits_for)
    return path[position[name] :] + [name]
