"""Runs a command within bounds and tells what it took: `measured.py REPORT ADDRESS_SPACE_KB COMMAND...`.

A process of its own, small on purpose: the peak memory of a child begins at that of whoever started it, and a test
run holds more than most commands do.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path


def main(report: str, kilobytes: str, command: list[str]) -> int:
    """The command's exit code; REPORT gets its seconds and peak memory in MiB."""
    started = time.monotonic()
    bound = int(kilobytes) * 1024
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    child = subprocess.Popen(command)
    _, status, usage = os.wait4(child.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    took = {"seconds": time.monotonic() - started, "rss_mib": usage.ru_maxrss / 1024, "code": code}
    Path(report).write_text(json.dumps(took), encoding="utf-8")
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
