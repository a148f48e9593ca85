create table pack_versions (
    name text not null,
    version text not null,
    effective_from date not null,
    content json not null,
    loaded_at timestamptz not null default now(),
    primary key (name, version)
);

create table cases (
    id text primary key,
    document_id text not null unique,
    reference text not null,
    document_type text not null,
    pack_version text not null,
    owner_organisation_id text not null,
    submitter_organisation_id text not null,
    facts json not null,
    rules text[] not null,
    channel text not null check (channel in ('green', 'orange', 'red')),
    risk_score integer not null check (risk_score between 0 and 100),
    explanation json not null,
    state text not null check (state in ('OPEN', 'CLOSED')),
    step text not null,
    outcome text not null,
    opened_at timestamptz not null,
    closed_at timestamptz,
    check ((state = 'CLOSED') = (closed_at is not null)),
    check ((state = 'CLOSED') = (outcome <> ''))
);
alter table cases alter column facts set storage external;

create table tasks (
    id text primary key,
    case_id text not null references cases,
    document_id text not null,
    position integer not null,
    step text not null,
    agency text not null check (agency <> ''),
    role text not null,
    mode text not null,
    rule text not null,
    signatures_required integer not null check (signatures_required between 1 and 2),
    state text not null check (state in ('OPEN', 'CLAIMED', 'DECIDED', 'CANCELLED')),
    claimed_by text not null,
    outcome text not null,
    reason_code text not null,
    quantity_value numeric check (quantity_value > 0),
    quantity_unit text,
    decided_by text not null,
    timer_id text not null,
    opened_at timestamptz not null,
    due_at timestamptz,
    decided_at timestamptz,
    unique (case_id, position),
    check ((state = 'CLAIMED') = (claimed_by <> '')),
    check ((state = 'DECIDED') = (decided_at is not null and outcome <> '' and decided_by <> '')),
    check ((quantity_value is null) = (quantity_unit is null))
);
create index tasks_queue on tasks (agency, coalesce(due_at, 'infinity'::timestamptz), id)
    where state in ('OPEN', 'CLAIMED');
create index tasks_queue_of_all on tasks (coalesce(due_at, 'infinity'::timestamptz), id)
    where state in ('OPEN', 'CLAIMED');
create index tasks_ended on tasks (agency, coalesce(due_at, 'infinity'::timestamptz), id)
    where state in ('DECIDED', 'CANCELLED');
create index tasks_of_document on tasks (document_id);

-- Four eyes are two persons: the database refuses a second live signature by the same one.
create table signatures (
    id text primary key,
    task_id text not null references tasks,
    person text not null check (person <> ''),
    outcome text not null,
    reason_code text not null,
    comment text not null,
    conditions text not null,
    quantity_value numeric check (quantity_value > 0),
    quantity_unit text,
    request_id text not null,
    signed_at timestamptz not null,
    voided_at timestamptz,
    check ((quantity_value is null) = (quantity_unit is null))
);
create unique index signatures_four_eyes on signatures (task_id, person) where voided_at is null;
create index signatures_of_task on signatures (task_id);

create table timers (
    id text primary key,
    task_id text not null references tasks,
    calendar text not null,
    budget_seconds bigint not null check (budget_seconds >= 0),
    consumed_seconds bigint not null check (consumed_seconds >= 0),
    running_since timestamptz,
    fire_at timestamptz,
    next_rung_at timestamptz,
    ladder json not null,
    climbed integer not null check (climbed >= 0),
    state text not null check (state in ('ARMED', 'SUSPENDED', 'CANCELLED')),
    check (state <> 'ARMED' or (running_since is not null and fire_at is not null)),
    check (state <> 'SUSPENDED' or (running_since is null and fire_at is null)),
    check (state = 'ARMED' or next_rung_at is null)
);
create unique index timers_live on timers (task_id) where state <> 'CANCELLED';
create index timers_next_rung on timers (next_rung_at) where state = 'ARMED';

-- A rung is climbed once, whoever looks at the clock: inserting here is the right to say so.
create table escalations (
    timer_id text not null references timers,
    rung text not null,
    claimed_at timestamptz not null,
    primary key (timer_id, rung)
);
