create table outbox (
    id bigint generated always as identity primary key,
    event_id uuid not null,
    topic text not null,
    key text not null,
    type text not null,
    payload bytea not null,
    traceparent text not null,
    created_at timestamptz not null,
    published_at timestamptz
);
create index outbox_unpublished on outbox (id) where published_at is null;
alter table outbox set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

create table inbox (
    consumer text not null,
    event_id uuid not null,
    received_at timestamptz not null default now(),
    primary key (consumer, event_id)
);

create table dead_letters (
    consumer text not null,
    event_id uuid not null,
    topic text not null,
    key text not null,
    type text not null,
    payload bytea not null,
    traceparent text not null,
    reason text not null,
    buried_at timestamptz not null default now(),
    primary key (consumer, event_id)
);
