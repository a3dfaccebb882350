"""What of an audit does not agree with the twins."""

from __future__ import annotations

from typing import Any

import pytest

import rust_core
from tests.rust_core.radon_twin import mccabe_figures, radon_figures
from tests.rust_core.twin import twin_figures


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
    found += [
        f"halstead of {key}: {peer}, ours {functions[key]['halstead']}"
        for key, peer in peers["function_halstead"].items()
        if functions[key]["halstead"] != pytest.approx(peer, rel=1e-9)
    ]
    found += _differences_of_twins(audit, peers["twins"])
    if audit["complexity_radon"] != peers["total"]:
        found.append(f"total {peers['total']}, ours {audit['complexity_radon']}")
    if audit["halstead"] != pytest.approx(peers["halstead"], rel=1e-9):
        found.append(f"halstead {peers['halstead']}, ours {audit['halstead']}")
    if audit["raw"] != peers["raw"]:
        found.append(f"raw {peers['raw']}, ours {audit['raw']}")
    if abs(audit["maintainability_index"] - peers["maintainability_index"]) > 0.01:
        found.append(f"index {peers['maintainability_index']}, ours {audit['maintainability_index']}")
    return found


def _differences_of_twins(audit: dict[str, Any], twins: list[tuple[str, dict[str, int]]]) -> list[str]:
    names = [name for name, _ in twins]
    found = [one["qualname"] for one in audit["functions"]]
    if found != names:
        return [f"functions {names}, ours {found}"]
    pairs = zip(audit["functions"], twins, strict=True)
    return [
        f"{figure} of {name}: {value}, ours {one[figure]}"
        for one, (name, figures) in pairs
        for figure, value in figures.items()
        if one[figure] != value
    ]


def differences_of_source(source: str) -> list[str]:
    """Return what differs for a source that the running Python can parse."""
    audit = rust_core.audit_source(source)
    if audit["errors"]:
        return [f"does not parse: {audit['errors'][0]}"]
    peers = {**radon_figures(source), "mccabe": mccabe_figures(source), "twins": twin_figures(source)}
    return differences(audit, peers)
