"""The pages of a site, by slug."""

from slugs import unique_slug


class Site:
    def __init__(self):
        self.pages = {}

    def add(self, title, body=""):
        slug = unique_slug(title, set(self.pages))
        self.pages[slug] = {"title": title, "body": body}
        return slug
