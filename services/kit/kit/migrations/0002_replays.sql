-- Who the bus was when this outbox was last published to it: another one lacks everything published before.
create table bus_cluster (
    is_only boolean primary key default true check (is_only),
    id text not null,
    since timestamptz not null default now()
);

-- What is published again: a refill of a bus that lost its data, or what a person asked for, and why.
-- `position` is the last row of the outbox that was gone through, `last` the one to end with.
create table replays (
    id uuid primary key,
    kind text not null check (kind in ('REFILL', 'REPLAY')),
    reason text not null check (reason <> ''),
    requested_by text not null check (requested_by <> ''),
    requested_at timestamptz not null,
    since timestamptz not null,
    until timestamptz not null check (until > since),
    topic text not null,
    key text not null,
    position bigint not null default 0,
    last bigint not null,
    published bigint not null default 0,
    finished_at timestamptz
);
create index replays_open on replays (kind, requested_at) where finished_at is null;
create unique index one_refill_at_a_time on replays (kind) where kind = 'REFILL' and finished_at is null;
