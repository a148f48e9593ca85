-- Why a consumer stands still: too many dead letters in a row. It stays so, whoever restarts it, until it is lifted.
create table consumer_stops (
    id bigint generated always as identity primary key,
    consumer text not null,
    release text not null,
    reason text not null,
    stopped_at timestamptz not null,
    lifted_at timestamptz,
    lifted_by text,
    lift_reason text,
    check ((lifted_at is null) = (lifted_by is null)),
    check ((lifted_at is null) = (lift_reason is null))
);
create unique index consumer_stopped on consumer_stops (consumer) where lifted_at is null;

-- Who had dead letters put through the handlers again, and why: one of them, or (null) all of a consumer.
create table redrives (
    id uuid primary key,
    consumer text not null,
    event_id uuid,
    reason text not null check (reason <> ''),
    requested_by text not null check (requested_by <> ''),
    requested_at timestamptz not null,
    succeeded int not null default 0,
    failed int not null default 0,
    finished_at timestamptz
);
create index redrives_open on redrives (consumer, requested_at) where finished_at is null;

-- `redrive_id` is the last redrive that tried it, `redriven_at` when it had its effect after all.
alter table dead_letters
    add column attempts int not null default 1,
    add column redrive_id uuid references redrives,
    add column redriven_at timestamptz;
create index dead_letters_lying on dead_letters (consumer, buried_at, event_id) where redriven_at is null;
