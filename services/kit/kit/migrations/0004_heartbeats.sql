-- A sign of life of each process kind that has no port of its own, and what it knows of the bus. A row a kind.
create table heartbeats (
    process text primary key,
    beat_at timestamptz not null,
    -- Null: it has nothing to do with the bus.
    is_bus_there boolean,
    is_waiting boolean not null,
    heard_at timestamptz,
    behind_seconds double precision
) with (fillfactor = 50);
