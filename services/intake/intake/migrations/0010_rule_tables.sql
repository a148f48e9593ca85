-- Rule tables that routing published: what is submitted from then on is admitted by them. `documents.pack_version` names the
-- table too, behind a #.
create table rule_tables (
    table_id text primary key,
    pack_version text not null,
    sequence bigint not null unique,
    rules json not null,
    in_force_from timestamptz not null,
    published_at timestamptz not null
);
