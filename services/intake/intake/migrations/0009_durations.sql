-- How long each decided task took, from its opening to its decision.
create table closed_steps (
    task_id text primary key,
    type text not null,
    step text not null,
    agency text not null,
    closed_at timestamptz not null,
    seconds bigint not null check (seconds >= 0)
);
create index closed_steps_newest on closed_steps (type, step, agency, closed_at desc);

-- What those of the last days come to, added up from time to time.
create table step_durations (
    type text not null,
    step text not null,
    agency text not null,
    median_seconds bigint,
    samples int not null default 0,
    computed_at timestamptz,
    primary key (type, step, agency)
);

-- When that was last done: whoever moves it on does it.
create table duration_rollups (
    only_one boolean primary key default true check (only_one),
    computed_at timestamptz not null
);
insert into duration_rollups (computed_at) values ('-infinity');
