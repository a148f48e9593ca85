-- What an agency asked the operator; the document waits meanwhile and returns to the state it left.
create table information_requests (
    request_id text primary key,
    document_id uuid not null references documents,
    task_id text not null,
    agency text not null,
    step text not null,
    questions text[] not null,
    answers text[] not null default '{}',
    returns_to text not null,
    state text not null check (state in ('OPEN', 'PROVIDED', 'LAPSED', 'CANCELLED')),
    requested_at timestamptz not null,
    due_at timestamptz
);
create index information_requests_of_document on information_requests (document_id);

-- Since when a task whose clock stood still is held again.
alter table document_tasks add column held_since timestamptz;
