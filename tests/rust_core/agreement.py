"""What of an audit does not agree with the twins."""

from __future__ import annotations

import ast
from typing import Any

import pytest

import rust_core
from tests.rust_core.radon_twin import mccabe_figures, radon_figures
from tests.rust_core.twin import c901, qualified_functions


def differences(audit: dict[str, Any], peers: dict[str, Any]) -> list[str]:
    """Return what of one file is not equal: exactly, and within 0.01 for the maintainability index."""
    functions = {(one["name"], one["line"]): one for one in audit["functions"]}
    found = [
        f"{figure} of {key}: {peer}, ours {functions[key][figure] if key in functions else None}"
        for figure, theirs in (
            ("complexity_radon", peers["functions"]),
            ("cyclomatic_mccabe", peers["mccabe"]),
        )
        for key, peer in theirs.items()
        if key not in functions or functions[key][figure] != peer
    ]
    if audit["complexity_radon"] != peers["total"]:
        found.append(f"total {peers['total']}, ours {audit['complexity_radon']}")
    if audit["halstead"] != pytest.approx(peers["halstead"], rel=1e-9):
        found.append(f"halstead {peers['halstead']}, ours {audit['halstead']}")
    if audit["raw"] != peers["raw"]:
        found.append(f"raw {peers['raw']}, ours {audit['raw']}")
    if abs(audit["maintainability_index"] - peers["maintainability_index"]) > 0.01:
        found.append(f"index {peers['maintainability_index']}, ours {audit['maintainability_index']}")
    return found


def differences_of_source(source: str) -> list[str]:
    """Return what differs for a source that the running Python can parse, the twin of C901 included."""
    audit = rust_core.audit_source(source)
    if audit["errors"]:
        return [f"does not parse: {audit['errors'][0]}"]
    expected = [(name, c901(function)) for name, function in qualified_functions(ast.parse(source))]
    found = [(one["qualname"], one["cyclomatic"]) for one in audit["functions"]]
    peers = {**radon_figures(source), "mccabe": mccabe_figures(source)}
    return differences(audit, peers) + ([] if found == expected else [f"c901 {expected}, ours {found}"])
