-- Who this log is: born with it, gone with it.
create table cluster (
    is_only boolean primary key default true check (is_only),
    id uuid not null default gen_random_uuid()
);
insert into cluster default values;
