-- Declarations of the customs system, by their number there. Whoever tells or asks of one holds its row first.
create table declarations (
    number text primary key,
    document_id uuid unique references documents
);

-- What customs told of each, once for each event: applied, waiting for what comes before it, or refused in its turn.
create table declaration_events (
    event_id text primary key,
    number text not null references declarations,
    event text not null,
    fingerprint bytea not null,
    content json not null,
    occurred_at timestamptz not null,
    state text not null check (state in ('APPLIED', 'HELD', 'REFUSED')),
    refusal json,
    told_by text not null,
    organisation_id text not null,
    agency text not null,
    received_at timestamptz not null,
    applied_at timestamptz,
    unique (number, event),
    check ((state = 'APPLIED') = (applied_at is not null)),
    check ((state = 'REFUSED') = (refusal is not null))
);
create index declaration_events_held on declaration_events (number) where state = 'HELD';
