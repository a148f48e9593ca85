"""Rule tables: what is proposed, what its replay found, what was published."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from gateway.shapes.common import LongText, Moment, MomentIn

RULES_MAX = 500
CASES_MAX = 5_000
JsonObject = dict[str, Any]
RuleId = Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
TableId = Annotated[str, msgspec.Meta(max_length=80, pattern="^[A-Za-z0-9_.:-]*$")]
RuleList = Annotated[list[JsonObject], msgspec.Meta(max_length=RULES_MAX)]


class RulePatch(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Rules put in at the end, put in another's place (by id), taken out."""

    added: RuleList = []
    changed: RuleList = []
    removed: Annotated[list[RuleId], msgspec.Meta(max_length=RULES_MAX)] = []


class RuleProposal(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The whole table in `rules`, or a `patch` of the one last published; rules as written in a pack's routing.yaml.

    `based_on`, where given, must be the table last published: empty for the pack's own.
    """

    based_on: TableId | None = None
    rules: Annotated[list[JsonObject], msgspec.Meta(min_length=1, max_length=RULES_MAX)] | None = None
    patch: RulePatch | None = None
    effective_from: MomentIn | None = None
    note: LongText = ""


class RollBack(msgspec.Struct, forbid_unknown_fields=True):
    note: LongText = ""


class RuleReplay(msgspec.Struct, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Which past cases, by when they were opened; at most `limit` of them, the earliest first."""

    from_: MomentIn
    to: MomentIn
    limit: Annotated[int, msgspec.Meta(ge=1, le=CASES_MAX)] = CASES_MAX


class RuleChanges(msgspec.Struct):
    added: list[str]
    changed: list[str]
    removed: list[str]


class RuleWarning(msgspec.Struct):
    pointer: str
    message: str


class ReplayReport(msgspec.Struct, rename={"from_": "from"}):
    """What the table would have changed.

    `rules`: by id, how many documents gain and lose it; `tasks`: by agency, how many more or fewer; `channels`:
    `green>red` and the like; `refused`: by rule, documents that would not be admitted. `changed_kept` of them can
    be listed.
    """

    from_: str
    to: str
    limit: int
    cases: int
    changed: int
    changed_kept: int
    rules: dict[str, tuple[int, int]]
    tasks: dict[str, int]
    channels: dict[str, int]
    refused: dict[str, int]


class RuleTable(msgspec.Struct, kw_only=True):
    """`based_on` null: the pack's own table. `rules` are left out of lists."""

    id: str
    pack_version: str
    based_on: str | None
    state: Literal["PROPOSED", "PUBLISHED", "WITHDRAWN"]
    effective_from: Moment | None
    in_force_from: Moment | None
    note: str
    proposed_by: str
    proposed_at: Moment
    published_by: str | None
    published_at: Moment | None
    withdrawn_by: str | None
    changes: RuleChanges
    warnings: list[RuleWarning]
    replay: ReplayReport | None
    rules: list[JsonObject] | None


class Outlook(msgspec.Struct):
    """`tasks`: the agencies that would be asked."""

    rules: list[str]
    channel: str
    tasks: list[str]


class ReplayedDocument(msgspec.Struct):
    document_id: str
    reference: str
    document_type: str
    before: Outlook
    after: Outlook
