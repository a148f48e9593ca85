-- Packs whole, as the lint needs them: lists, schemas, examples. `pack_versions` keeps what judging needs.
create table pack_sources (
    name text not null,
    version text not null,
    effective_from date not null,
    content text not null,
    primary key (name, version)
);

-- Rule tables published beside a pack, by two persons. What was proposed never changes, nor what was published.
create table rule_tables (
    id text primary key,
    pack_version text not null,
    based_on text not null,
    rules json not null,
    effective_from timestamptz,
    note text not null,
    changes json not null,
    warnings json not null,
    proposed_by text not null check (proposed_by <> ''),
    proposed_at timestamptz not null,
    request_id text not null,
    fingerprint text not null,
    state text not null check (state in ('PROPOSED', 'PUBLISHED', 'WITHDRAWN')),
    replay json,
    published_by text,
    published_at timestamptz,
    in_force_from timestamptz,
    sequence bigint unique check (sequence > 0),
    withdrawn_by text,
    unique (proposed_by, request_id),
    constraint four_eyes check (published_by <> proposed_by),
    constraint replayed_first check (state <> 'PUBLISHED' or replay is not null),
    check ((state = 'PUBLISHED') = (published_by is not null)),
    check ((state = 'PUBLISHED') = (published_at is not null)),
    check ((state = 'PUBLISHED') = (in_force_from is not null)),
    check ((state = 'PUBLISHED') = (sequence is not null)),
    check ((state = 'WITHDRAWN') = (withdrawn_by is not null)),
    check (in_force_from >= published_at)
);
alter table rule_tables alter column rules set storage external;

create function keep_rule_table() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or old.state <> 'PROPOSED'
        or (new.id, new.pack_version, new.based_on, new.rules::text, new.effective_from, new.proposed_by)
            is distinct from
            (old.id, old.pack_version, old.based_on, old.rules::text, old.effective_from, old.proposed_by)
    then
        raise exception 'a rule table never changes' using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end
$$;
create trigger never_changes before update or delete on rule_tables for each row execute function keep_rule_table();

-- What a replay would change, document by document.
create table replayed_documents (
    table_id text not null references rule_tables,
    position integer not null,
    document_id text not null,
    reference text not null,
    document_type text not null,
    before json not null,
    after json not null,
    primary key (table_id, position)
);
create index cases_opened on cases (opened_at, id);
