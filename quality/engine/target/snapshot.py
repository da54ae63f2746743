"""One view of a target for all rules of a check: repeatable read, read only, within its time.

What takes long runs on several connections at once, which share the snapshot
(`pg_export_snapshot`; manual, 9.28.5).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import takewhile

from quality.engine.cancellation import Cancellation
from quality.engine.engine import EngineBusy
from quality.engine.plan.lexing import Unreadable, tokens_of
from quality.engine.settings import EngineSettings
from quality.engine.target.pool import Pool
from quality.engine.target.wire import GRACE_S, Answer, ConnectionLost, Overdue, Wire, overdue, wait
from quality.errors import EngineError, Unavailable

_BEGIN = "begin isolation level repeatable read, read only"
# Syntax errors and characters that the database cannot spell: found before anything is done.
_UNREADABLE = ("42601", "22P05", "22021")
# One savepoint for all statements: none of them leaves anything that a way back could lose.
_MARK = "savepoint statement"
_END = "rollback"
# Nobody waits for a statement to be prepared: where its table is locked the connection is given up.
_BRIEFLY = "set local lock_timeout = 50"
_RETURN = "rollback to savepoint statement"


# What the server ends at the deadline may be told a moment before it.
_JUST_S = 0.1
_LATE = Answer(sqlstate="57014", message="the check's time was over", is_late=True)


class CheckTimeout(EngineError):
    """The check took longer than it may."""

    code = "timeout"


class NotLocked(Exception):
    """A relation cannot be locked, by this role or at all."""


class SnapshotLost(Exception):
    """The transaction is of no more use, and nothing was judged in it yet: begin anew."""


@dataclass(slots=True)
class Snapshot:
    """A transaction in which statements fail one by one; see `open_snapshot`."""

    settings: EngineSettings
    pool: Pool
    deadline: float
    cancellation: Cancellation
    ends_softly: bool = False
    """Once the deadline is over, statements fail one by one (`is_late`), and nothing is raised."""
    was_asked: bool = False
    """Whether anything was asked after its beginning."""
    _is_over: bool = False
    _wires: list[Wire] = field(default_factory=list)
    _marked: set[Wire] = field(default_factory=set)
    _failed: set[Wire] = field(default_factory=set)
    _leases: ExitStack = field(default_factory=ExitStack)

    def ask(self, statements: Sequence[str]) -> list[Answer]:
        """The answers to short statements, in few messages; each fails for itself.

        Raises SnapshotLost where it has ended with its beginning.
        """
        self._open(statements)
        answers: list[Answer] = []
        while len(answers) < len(statements):
            rest = statements[len(answers) :]
            answers += self._ask_together(list(takewhile(is_one_statement, rest)) or rest[:1])
        return answers

    def _ask_together(self, statements: Sequence[str]) -> list[Answer]:
        """Answers to the first of the statements, up to one that fails; to one of them at least."""
        if self._is_late:
            return [_LATE for _ in statements]
        wire = self._wires[0]
        self._mark(wire)
        head = self._head(wire)
        try:
            give_up_at = self._give_up_at(len(statements))
            found = wire.send("; ".join([*head, *statements]), give_up_at)
        except (ConnectionLost, Overdue) as error:
            raise self._broken(error) from None
        if len(statements) > 1 and found[0].sqlstate in _UNREADABLE:
            # A message is parsed as a whole, so nobody knows yet whose fault it is.
            self._failed.add(wire)
            return self._ask_together(statements[:1])
        # Where one statement turns out to be several, the last one's answer counts, as in dbt.
        taken = self._taken(wire, found, len(head))
        self.cancellation.check()
        return taken[-1:] if len(statements) == 1 else taken

    def run(self, statements: Sequence[str]) -> list[Answer]:
        """The answers to statements that may take long, on as many connections as there are.

        Raises SnapshotLost where it has ended with its beginning.
        """
        self._open(statements)
        self.spread(len(statements))
        answers: dict[int, Answer] = {}
        waiting = list(enumerate(statements))[::-1]
        working: dict[Wire, tuple[int, int]] = {}
        idle = list(self._wires)
        try:
            while waiting or working:
                while idle and waiting:
                    place, statement = waiting.pop()
                    if self._is_late:
                        answers[place] = _LATE
                        continue
                    wire = idle.pop(0)
                    self._mark(wire)
                    head = self._head(wire)
                    wire.start("; ".join([*head, statement]))
                    working[wire] = (place, len(head))
                if not working:
                    break
                ready = wait(list(working), self._give_up_at())
                if not ready:
                    raise overdue(list(working))
                for wire in ready:
                    if wire.advance():
                        place, skipped = working.pop(wire)
                        answers[place] = self._taken(wire, wire.answers, skipped)[-1]
                        idle.append(wire)
        except (ConnectionLost, Overdue) as error:
            raise self._broken(error) from None
        finally:
            for wire in working:
                wire.cancel()
        return [answers[place] for place in range(len(statements))]

    def _open(self, statements: Sequence[str]) -> None:
        if statements:
            self.was_asked = True
            if self._is_over:
                raise SnapshotLost("it ended with its beginning")

    @property
    def time_left_s(self) -> float:
        return self.deadline - time.monotonic()

    @property
    def _is_late(self) -> bool:
        return self.ends_softly and self.time_left_s <= 0

    def _give_up_at(self, statements: int = 1) -> float:
        """When the server should have ended that many statements, one after the other, itself."""
        limit = self.settings.statement_timeout_s * max(1, statements)
        return time.monotonic() + min(limit, max(0.0, self.time_left_s)) + GRACE_S

    def _begin(
        self,
        wire: Wire,
        begin: Sequence[str],
        then: Sequence[str],
        repeated: Collection[str],
        *,
        ends: bool,
    ) -> tuple[list[Answer], list[Answer]] | None:
        """The answers to the first message; None where the connection was gone."""
        self._wires = [wire]
        asked, then = then, list(takewhile(is_one_statement, then))
        tail = [_END] if ends and then and len(then) == len(asked) else []
        # What ends with its beginning has no way back, and begins anew instead.
        mark = [] if tail else [_MARK]
        head = [*mark, *self._head(wire)] if then else []
        repeats = wire.repeats
        spelled = [repeats.spelled(one) if one in repeated else one for one in then]
        try:
            give_up_at = self._give_up_at(len(begin) + len(then))
            answers = wire.send("; ".join([*begin, *head, *spelled, *tail]), give_up_at)
            if then and answers[0].sqlstate in _UNREADABLE:  # nothing of it was done
                then, head, tail = [], [], []
                answers = wire.send("; ".join(begin), give_up_at)
        except ConnectionLost:
            return None
        except Overdue:
            raise CheckTimeout("the target did not answer in time") from None
        first, rest = answers[: len(begin)], answers[len(begin) :]
        if not then or first[-1].failed:
            return first, []
        if tail:
            self._is_over = True
            if rest[-1].failed:
                wire.post(_END)
            else:
                rest.pop()
        else:
            self._marked.add(wire)
        taken = self._taken(wire, rest, len(head))
        for statement, answer in zip(then, taken, strict=False):
            if statement in repeated:
                repeats.answered(statement, failed=answer.failed)
        if tail and len(taken) < len(then):
            _end(wire, is_over=True)
            raise SnapshotLost("one of its statements failed, and others were not asked")
        return first, taken

    def _head(self, wire: Wire) -> list[str]:
        """What goes before a statement: the way back from an error, and how long it may take."""
        self.cancellation.check()
        left = min(self.settings.statement_timeout_s, self.time_left_s)
        if left <= 0:
            raise CheckTimeout("the check took longer than it may")
        head = [_RETURN] if wire in self._failed else []
        if left < self.settings.statement_timeout_s:
            head.append(f"set local statement_timeout = {max(1, round(left * 1000))}")
        self._failed.discard(wire)
        return head

    def _mark(self, wire: Wire) -> None:
        """Make the place to go back to, in a message of its own: it must be there for an error."""
        if wire in self._marked:
            return
        try:
            (answer,) = wire.send(_MARK, self._give_up_at())
        except (ConnectionLost, Overdue) as error:
            raise self._broken(error) from None
        if answer.failed:
            raise EngineError(f"the target makes no savepoint: {answer.message}")
        self._marked.add(wire)

    def _taken(self, wire: Wire, answers: list[Answer], skipped: int) -> list[Answer]:
        if answers and answers[-1].failed:
            self._failed.add(wire)
            if self.ends_softly and self.time_left_s < _JUST_S and answers[-1].cause == "timeout":
                answers = [*answers[:-1], replace(answers[-1], is_late=True)]
            self.cancellation.check()
            if len(answers) <= skipped:
                if answers[-1].sqlstate not in _UNREADABLE:
                    raise EngineError(f"the target refuses a setting: {answers[-1].message}")
                return answers[-1:]
        elif len(answers) <= skipped:
            raise EngineError("the target gave no answer")
        # The server sends when it has much or is done: what the head took is the statements' time.
        seconds = sum(answer.seconds for answer in answers) / (len(answers) - skipped)
        return [answer.lasting(seconds) for answer in answers[skipped:]]

    def _broken(self, error: Exception) -> EngineError | Unavailable:
        self.cancellation.check()
        if isinstance(error, Overdue):
            return CheckTimeout("the target did not answer in time, and did not end its query")
        return lost(str(error))

    def spread(self, statements: int) -> None:
        """Have more connections where some are free now; one is enough where none is."""
        wanted = min(statements, self.settings.queries_per_check)
        if wanted <= len(self._wires) or self._marked:  # no export out of a subtransaction
            return
        if not self.pool.exports_snapshots:
            return
        try:
            (exported,) = self._wires[0].send("select pg_export_snapshot()", self._give_up_at())
        except (ConnectionLost, Overdue) as error:
            raise self._broken(error) from None
        if exported.failed:
            self.pool.exports_snapshots = False
            raise SnapshotLost(exported.message or "")
        name = exported.rows[0][0]
        while len(self._wires) < wanted:
            try:
                wire, _ = self._leases.enter_context(self.pool.lease(self.deadline, at_once=True))
                begin = f"{_BEGIN}; set transaction snapshot '{name}'"
                joined = wire.send(begin, self._give_up_at())
            except (EngineBusy, Unavailable, ConnectionLost, Overdue):
                return
            if joined[-1].failed:
                return
            self._leases.enter_context(self.cancellation.during(wire.cancel))
            self._wires.append(wire)


@dataclass(frozen=True, slots=True)
class Opened:
    """A snapshot with the answers to what was asked with its beginning."""

    snapshot: Snapshot
    first: list[Answer]
    then: list[Answer]


@contextmanager
def open_snapshot(
    pool: Pool,
    settings: EngineSettings,
    deadline: float,
    cancellation: Cancellation,
    first: Sequence[str],
    then: Sequence[str] = (),
    *,
    repeated: Collection[str] = (),
    ends: bool = False,
    ends_softly: bool = False,
) -> Iterator[Opened]:
    """A snapshot that begins with the statements of `first`, which do not fail one by one.

    Those of `then` do, as in `Snapshot.ask`, and cost no message of their own; what later snapshots
    ask as well is `repeated`, and prepared in between. Where nothing else will be asked it `ends`
    with the same message; where one of them fails, SnapshotLost. Raises EngineBusy, Unavailable
    (`target_unreachable`), CheckTimeout, NotLocked, and EngineError when one of `first` fails.
    """
    snapshot = Snapshot(settings, pool, deadline, cancellation, ends_softly)
    begin = [_BEGIN, *first]
    with snapshot._leases as leases:
        wire, was_used = leases.enter_context(pool.lease(deadline))
        leases.enter_context(cancellation.during(wire.cancel))
        answers = snapshot._begin(wire, begin, then, repeated, ends=ends)
        if answers is None and was_used:
            # The server has closed it meanwhile. Nothing was read yet: once more on a new one.
            wire, _ = leases.enter_context(pool.lease(deadline, fresh=True))
            leases.enter_context(cancellation.during(wire.cancel))
            answers = snapshot._begin(wire, begin, then, repeated, ends=ends)
        if answers is None:
            cancellation.check()
            raise lost("the server closed the connection")
        try:
            cancellation.check()
            found, later = answers
            if found[-1].failed:
                raise _not_begun(found[-1])
            later += snapshot.ask(then[len(later) :])
            yield Opened(snapshot, found[1:], later)
        finally:
            for used in snapshot._wires:
                _end(used, is_over=snapshot._is_over)


def _not_begun(answer: Answer) -> Exception:
    if answer.sqlstate in ("42501", "42809", "42P01", "3F000"):
        return NotLocked(answer.message or "")
    if answer.stops_all:
        words = f"the target is too busy to say what it has: {answer.message}"
        return Unavailable(words, code=answer.cause)
    return EngineError(f"the target does not say what it has: {answer.message}")


@lru_cache(maxsize=2_000)
def is_one_statement(sql: str) -> bool:
    """Whether it surely ends where it ends, so that another may follow in the same message."""
    try:
        tokens_of(sql)
    except Unreadable:
        return False
    return True


def lost(words: str) -> Unavailable:
    """The error for a target that went away."""
    return Unavailable(f"the target cannot be reached: {words}", code="target_unreachable")


def _end(wire: Wire, *, is_over: bool) -> None:
    last, changes = [] if is_over else [_END], wire.repeats.changes()
    if changes:
        last += ["begin", _BRIEFLY, *changes, "commit"]
    if not last:
        return
    try:
        wire.post("; ".join(last))
    except (ConnectionLost, Overdue):
        wire.close()
