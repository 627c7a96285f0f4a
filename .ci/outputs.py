"""Refuse notebooks whose code was not executed: strict nbval compares nothing in such a cell."""

import json
import sys
from pathlib import Path


def unexecuted(path: Path) -> list[int]:
    """Numbers of the code cells, from 1, that hold code and were never run."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [
        number
        for number, cell in enumerate(cells, 1)
        if cell["cell_type"] == "code"
        and "".join(cell["source"]).strip()
        and cell.get("execution_count") is None
    ]


def main(names: list[str]) -> int:
    """Print a line for each notebook that is not executed; 1 when there is one."""
    blank = {name: cells for name in names if (cells := unexecuted(Path(name)))}
    for name, cells in blank.items():
        print(f"{name}: cells {', '.join(map(str, cells))} were never run. Run `make notebooks`.")
    return int(bool(blank))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
