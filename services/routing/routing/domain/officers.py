"""Who may look at a task, and who may act on it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from kit.errors import Forbidden, NotFound

from .asking import may_ask
from .cases import Case
from .procedure import Procedure
from .tasks import Decision, Task, choices
from .visits import OPERATOR, Attendant

# The role in which somebody acts for the organisation that files.
FILER = "declarant"

# Who answers for an agency's work.
SUPERVISOR = "org_admin"

CUSTOMS = "customs_officer"
OFFICERS = frozenset({"agency_officer", "bank_officer", CUSTOMS})


@dataclass(frozen=True)
class Officer:
    """A person at an agency. `sees_all` is the operator's administrator, who only looks.

    `stands_for`: the absent colleagues whose delegate the person is, now.
    """

    person: str
    agency: str
    organisation_id: str
    roles: frozenset[str]
    sees_all: bool = False
    stands_for: frozenset[str] = frozenset()

    def may_see(self, agency: str) -> bool:
        return self.sees_all or (bool(self.agency) and self.agency == agency)

    def must_see(self, task: Task) -> None:
        """What is not the caller's to know does not exist."""
        if not self.may_see(task.agency):
            raise NotFound("NOT_FOUND")

    def sees_why(self, case: Case, agencies: Collection[str]) -> bool:
        """The whole of a judgement, or (False) what its own parties are told. `agencies` have or had a task."""
        if self.sees_all or CUSTOMS in self.roles or (self.roles & OFFICERS and self.agency in agencies):
            return True
        parties = {case.document.owner_organisation_id, case.document.submitter_organisation_id}
        if self.organisation_id not in parties:
            raise NotFound("NOT_FOUND")
        return False

    def must_act(self, case: Case, task: Task) -> None:
        self.must_see(task)
        if not self._may_act(case, task):
            raise Forbidden(
                "FORBIDDEN", f"this needs the role {task.role} at {task.agency}, and no part in the document"
            )

    def attends(self, case: Case) -> Attendant:
        """The party this person speaks for at a visit: the operator, or an agency that has a part in the case."""
        parties = {case.document.owner_organisation_id, case.document.submitter_organisation_id}
        if self.organisation_id in parties and FILER in self.roles:
            return Attendant(self.person, OPERATOR)
        if self.organisation_id not in parties and any(self._serves(task) for task in case.tasks):
            return Attendant(self.person, self.agency, self.stands_for)
        raise NotFound("NOT_FOUND")

    def must_see_visits(self, case: Case) -> None:
        parties = {case.document.owner_organisation_id, case.document.submitter_organisation_id}
        is_agency = any(self.may_see(task.agency) for task in case.tasks)
        if not (self.sees_all or is_agency or self.organisation_id in parties):
            raise NotFound("NOT_FOUND")

    def _serves(self, task: Task) -> bool:
        return bool(self.agency) and self.agency == task.agency and task.role in self.roles

    def must_supervise(self, task: Task) -> None:
        self.must_see(task)
        if SUPERVISOR not in self.roles or self.agency != task.agency:
            raise Forbidden("FORBIDDEN", f"this needs the role {SUPERVISOR} at {task.agency}")

    def speaking(self, task: Task, decision: Decision) -> Decision:
        """In whose place: as said, or of the absent colleague who had taken the task."""
        if decision.on_behalf_of and decision.on_behalf_of not in self.stands_for:
            raise Forbidden("FORBIDDEN", "no absence in force names you as the delegate")
        if not decision.on_behalf_of and task.claimed_by in self.stands_for:
            return replace(decision, on_behalf_of=task.claimed_by)
        return decision

    def choices(self, case: Case, task: Task, procedure: Procedure) -> tuple[str, ...]:
        """The outcomes this officer may choose now."""
        return choices(procedure.step(task.step)) if self._may_answer(case, task) else ()

    def may_ask(self, case: Case, task: Task, procedure: Procedure) -> bool:
        """Who may decide may ask the operator first, once for the agency."""
        return self._may_answer(case, task) and may_ask(case, task, procedure)

    def _may_answer(self, case: Case, task: Task) -> bool:
        is_free = task.is_live and task.claimed_by in {"", self.person, *self.stands_for}
        return is_free and not self._has_seen(case, task) and self._may_act(case, task)

    def _has_seen(self, case: Case, task: Task) -> bool:
        """Signed already, here or where nobody may who acts here."""
        others = (other for other in case.tasks if other.id == task.id or other.step in task.exclusive)
        return any(self.person in other.signers for other in others)

    def _may_act(self, case: Case, task: Task) -> bool:
        parties = {case.document.owner_organisation_id, case.document.submitter_organisation_id}
        is_own = self.agency == task.agency and task.role in self.roles
        return is_own and self.organisation_id not in parties
