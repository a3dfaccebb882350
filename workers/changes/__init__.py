"""Files, their versions and their history: durable saves, git, diffs by hunk, landing what was accepted.

Nothing here follows a symbolic link out of a workspace, runs a program that a repository names, or leaves
half a change behind. All functions are synchronous; asynchronous callers use a thread.
"""
