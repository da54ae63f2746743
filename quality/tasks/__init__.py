"""Tasks: what a HOCON file lists is validated as a whole, then run one after the other.

`registry.registered` knows the classes, `plan.read_plan` reads and validates a file, `running.run`
runs it and answers how it ended, with the record of the run.
"""

from quality.tasks.plan import Plan, read_plan
from quality.tasks.record import RunRecord, TaskRecord
from quality.tasks.running import run
from quality.tasks.task import Context, Task, TaskFailed

__all__ = [
    "Context",
    "Plan",
    "RunRecord",
    "Task",
    "TaskFailed",
    "TaskRecord",
    "read_plan",
    "run",
]
