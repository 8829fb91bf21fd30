"""A process that renders a share of a job: ``python -m simteacher.scenes.worker K OF``, the job as JSON on stdin.

A process of its own and not a fork: it inherits no threads, and needs no guard in the caller's script. It says the name
of every finished frame on stdout and dies with its parent, whose closed pipe it notices.
"""

from __future__ import annotations

import json
import os
import signal
import sys

from simteacher.errors import UserError
from simteacher.memory import keep_freed_memory
from simteacher.scenes.job import Job, make


def main() -> int:
    """Render every unit u with u mod OF = K."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and ends its workers
    keep_freed_memory()
    mine, of = int(sys.argv[1]), int(sys.argv[2])
    job = Job.from_json(sys.stdin.readline())
    try:
        for unit in range(mine, job.units(), of):
            for name in make(job, unit):
                print(name, flush=True)
    except UserError as error:
        print(json.dumps({"problem": error.problem, "where": error.where, "fix": error.fix}), flush=True)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the parent is gone: end without a second complaint
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
