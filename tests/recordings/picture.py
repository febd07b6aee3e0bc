"""The README's picture, from a recording.

Run as `python -m tests.recordings.picture RECORDING OUT.svg [SECONDS_AFTER_ITS_BEGIN]`.
"""

import asyncio
import sys
from pathlib import Path

from core.engine.replay import Replay
from tui.picture import picture

SIZE = (120, 36)


async def main(recording: Path, out: Path, seconds: float | None) -> None:
    """Draw the deck as it was so many seconds after the recording began; at its end where none are given."""
    first = await anext(Replay(recording).events())
    out.parent.mkdir(parents=True, exist_ok=True)
    until = None if seconds is None else first.at + seconds
    await picture(Replay(recording, until=until), SIZE, out)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]) if len(sys.argv) > 3 else None))
