"""What can go wrong in an audit. Source code never does: whatever it holds, an audit returns a diagnosis."""

from workers.errors import PyAgentError


class CoreMissing(PyAgentError):
    """The Rust core is not built. Run `make rust`."""

    code = "rust_core_missing"


class InvalidRule(PyAgentError):
    """A pattern rule cannot be used."""

    code = "invalid_rule"
