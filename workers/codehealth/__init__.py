"""Code health: how complex and how maintainable source code is, and what a change does to it."""
