-- A task may wait for the operator's answers: its clock is suspended, nobody decides.
alter table tasks
    drop constraint tasks_state_check,
    add constraint tasks_state_check check (state in ('OPEN', 'CLAIMED', 'WAITING', 'DECIDED', 'CANCELLED'));
create index tasks_waiting on tasks (agency, coalesce(due_at, 'infinity'::timestamptz), id) where state = 'WAITING';

create table information_requests (
    id text primary key,
    task_id text not null unique references tasks,
    document_id text not null,
    agency text not null,
    person text not null check (person <> ''),
    reason text not null,
    questions text[] not null check (cardinality(questions) > 0),
    answers text[] not null,
    state text not null check (state in ('OPEN', 'PROVIDED', 'LAPSED', 'CANCELLED')),
    requested_at timestamptz not null,
    due_at timestamptz not null,
    closed_at timestamptz,
    -- Each agency asks once about a document.
    unique (document_id, agency),
    check ((state = 'PROVIDED') = (cardinality(answers) > 0))
);
create index information_requests_due on information_requests (due_at) where state = 'OPEN';
