"""Who may look at a task, and who may act on it."""

from __future__ import annotations

from dataclasses import dataclass

from kit.errors import Forbidden, NotFound

from .cases import Case
from .procedure import Procedure
from .tasks import Task


@dataclass(frozen=True)
class Officer:
    """A person at an agency. `sees_all` is the operator's administrator, who only looks."""

    person: str
    agency: str
    organisation_id: str
    roles: frozenset[str]
    sees_all: bool = False

    def may_see(self, agency: str) -> bool:
        return self.sees_all or (bool(self.agency) and self.agency == agency)

    def must_see(self, task: Task) -> None:
        """What is not the caller's to know does not exist."""
        if not self.may_see(task.agency):
            raise NotFound("NOT_FOUND")

    def must_act(self, case: Case, task: Task) -> None:
        self.must_see(task)
        if not self._may_act(case, task):
            raise Forbidden(
                "FORBIDDEN", f"this needs the role {task.role} at {task.agency}, and no part in the document"
            )

    def choices(self, case: Case, task: Task, procedure: Procedure) -> tuple[str, ...]:
        """The outcomes this officer may choose now."""
        is_free = task.is_live and task.claimed_by in {"", self.person}
        has_signed = any(signature.person == self.person for signature in task.live_signatures)
        if not is_free or has_signed or not self._may_act(case, task):
            return ()
        return tuple(procedure.step(task.step).outcomes)

    def _may_act(self, case: Case, task: Task) -> bool:
        parties = {case.document.owner_organisation_id, case.document.submitter_organisation_id}
        is_own = self.agency == task.agency and task.role in self.roles
        return is_own and self.organisation_id not in parties
