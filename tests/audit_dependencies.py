"""Asks whether a locked package has a known vulnerability, and does not take silence for a no.

    python tests/audit_dependencies.py PIP-AUDIT [requirements.lock]

Exit code 0: none is known; 1: some are, and are printed; 3: nobody could be asked here (pip-audit itself would end with
0), so nothing is known. What is explained in EXPLAINED is printed with its reason and is no failure.
"""

from __future__ import annotations

import json
import subprocess
import sys

EXPLAINED: dict[str, str] = {}  # a vulnerability's id: why it is not one of ours


def main(pip_audit: str, lock: str = "requirements.lock") -> int:
    """The exit code."""
    done = subprocess.run(
        [pip_audit, "--requirement", lock, "--disable-pip", "--progress-spinner", "off", "--format", "json"],
        capture_output=True,
        text=True,
    )
    try:
        dependencies = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        print(
            "no vulnerability database could be reached:"
            f" {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'no answer'}",
            file=sys.stderr,
        )
        return 3
    checked = [one for one in dependencies if "skip_reason" not in one]
    found = [(one["name"], one["version"], vulnerability) for one in checked for vulnerability in one["vulns"]]
    for name, version, vulnerability in found:
        reason = EXPLAINED.get(vulnerability["id"])
        print(
            f"{name} {version}: {vulnerability['id']}, mended in"
            f" {', '.join(vulnerability['fix_versions']) or 'no version'}{f': explained: {reason}' if reason else ''}"
        )
    print(
        f"{len(checked)} of {len(dependencies)} locked packages were checked; {len(found)} known vulnerabilities,"
        f" {sum(v['id'] in EXPLAINED for *_, v in found)} explained"
    )
    if any(vulnerability["id"] not in EXPLAINED for *_, vulnerability in found):
        return 1
    if len(checked) < len(dependencies):
        print(
            "the others are not known to the service that was asked (or it could not be reached): run this where PyPI's"
            " own JSON interface answers",
            file=sys.stderr,
        )
        return 3
    return 0


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
