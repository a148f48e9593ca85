create table pack_versions (
    name text not null,
    version text not null,
    effective_from date not null,
    content json not null,
    loaded_at timestamptz not null default now(),
    primary key (name, version)
);

create table receipt_keys (
    key_id text primary key,
    public bytea not null,
    sealed_private bytea not null,
    created_at timestamptz not null default now()
);

-- Processes take numbers in blocks: a crash leaves a hole, never a double.
create sequence reference_blocks;

create table documents (
    document_id uuid primary key,
    reference text not null unique,
    type text not null,
    pack_version text not null,
    state text not null,
    revision int not null default 1,
    version int not null default 1,
    owner_organisation_id text not null,
    submitter_organisation_id text not null,
    submitted_by text not null,
    mandate_id text not null,
    submitted_at timestamptz not null,
    updated_at timestamptz not null,
    valid_until timestamptz,
    items int not null default 0
) with (fillfactor = 80);
create index documents_of_owner on documents (owner_organisation_id, document_id desc);
create index documents_of_agent on documents (submitter_organisation_id, document_id desc)
    where submitter_organisation_id <> owner_organisation_id;

create table document_versions (
    document_id uuid not null references documents,
    version int not null,
    body json not null,
    body_bytes int not null,
    receipt text not null,
    primary key (document_id, version)
);
alter table document_versions alter column body set storage external;

-- One row per submission ever accepted, kept for ever: the same key is the same answer.
create table submissions (
    organisation_id text not null,
    idempotency_key text not null,
    fingerprint bytea not null,
    document_id uuid not null,
    answer_head text not null,
    primary key (organisation_id, idempotency_key)
);

create table document_tasks (
    task_id text primary key,
    document_id uuid not null references documents,
    agency text not null,
    step text not null,
    opened_at timestamptz not null,
    due_at timestamptz,
    is_open boolean not null default true
);
create index document_tasks_open on document_tasks (document_id) where is_open;

create table document_readers (
    agency text not null,
    document_id uuid not null references documents,
    primary key (agency, document_id)
);

create table timeline_items (
    document_id uuid not null references documents,
    seq int not null,
    at timestamptz not null,
    kind text not null,
    from_state text not null,
    to_state text not null,
    event text not null,
    actor text not null,
    agency text not null,
    step text not null,
    due_at timestamptz,
    reason_code text not null,
    detail json,
    primary key (document_id, seq)
);

create table title_lines (
    document_id uuid not null references documents,
    line int not null,
    hs_code text not null,
    unit text not null,
    authorised numeric(20, 6) not null check (authorised > 0),
    tolerance numeric(7, 6) not null default 0 check (tolerance between 0 and 1),
    reserved numeric(20, 6) not null default 0 check (reserved >= 0),
    consumed numeric(20, 6) not null default 0 check (consumed >= 0),
    released numeric(20, 6) not null default 0 check (released >= 0),
    primary key (document_id, line),
    constraint never_over_authorised check (consumed + reserved <= authorised * (1 + tolerance))
);

create table imputations (
    imputation_id uuid primary key,
    document_id uuid not null,
    line int not null,
    declaration_number text not null,
    declaration_line text not null,
    state text not null check (state in ('RESERVED', 'CONSUMED', 'CANCELLED')),
    office text not null,
    registered_on date not null,
    quantity numeric(20, 6) not null check (quantity > 0),
    unit text not null,
    value_minor bigint not null,
    currency text not null,
    imputed_at timestamptz not null,
    remaining numeric(20, 6) not null,
    reserved_fingerprint bytea,
    reserved_answer text,
    consumed_fingerprint bytea,
    consumed_answer text,
    foreign key (document_id, line) references title_lines,
    unique (document_id, declaration_number, declaration_line)
);

create table title_entries (
    entry_id bigint generated always as identity primary key,
    document_id uuid not null,
    line int not null,
    kind text not null,
    quantity numeric(20, 6) not null check (quantity > 0),
    imputation_id uuid references imputations,
    actor text not null,
    at timestamptz not null,
    foreign key (document_id, line) references title_lines
);
create index title_entries_of_document on title_entries (document_id, entry_id);

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'integrity_constraint_violation';
end
$$;
create trigger append_only before update or delete on title_entries
    for each row execute function refuse_change();
create trigger append_only_whole before truncate on title_entries
    for each statement execute function refuse_change();
create trigger append_only before update or delete on document_versions
    for each row execute function refuse_change();
create trigger append_only before update or delete on timeline_items
    for each row execute function refuse_change();
create trigger append_only before update or delete on submissions
    for each row execute function refuse_change();
