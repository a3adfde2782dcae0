"""`python deploy/grafana/draw.py` writes dashboards/*.json anew from drawing/; `make dashboards` does it, and a test
holds the two together.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from drawing import boards, detection, service, tenants  # noqa: E402
from grafana_foundation_sdk.cog.encoder import JSONEncoder  # noqa: E402


def drawn() -> dict[str, str]:
    """The files' content by their names."""
    found = {}
    for made in (service.BOARD, detection.BOARD, tenants.BOARD):
        document = json.loads(json.dumps(made.build(), cls=JSONEncoder)) | {"schemaVersion": boards.SCHEMA_VERSION}
        document.pop("style", None)  # the reader's own
        for number, panel in enumerate(document["panels"], 1):
            panel["id"] = number
        found[f"{document['uid'].removeprefix('brigadewatch-')}.json"] = (
            json.dumps(document, indent=1, sort_keys=True) + "\n"
        )
    return found


if __name__ == "__main__":
    for name, content in drawn().items():
        (HERE / "dashboards" / name).write_text(content)
        sys.stdout.write(f"deploy/grafana/dashboards/{name}\n")
