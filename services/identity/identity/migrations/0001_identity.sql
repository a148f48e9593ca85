create table organisations (
    id text primary key,
    name text not null,
    kind text not null
        check (kind in ('importer', 'exporter', 'broker', 'bank', 'agency', 'customs', 'finance', 'operator')),
    company_number text not null,
    agency_code text not null,
    language text not null,
    billing_mode text not null check (billing_mode in ('subscriber', 'occasional')),
    attributes text[] not null,
    activated_at timestamptz not null
);
create unique index organisations_company_number on organisations (company_number, kind) where company_number <> '';
create unique index organisations_agency_code on organisations (agency_code) where agency_code <> '';

create table users (
    id text primary key,
    organisation_id text not null references organisations (id),
    email text not null unique,
    name text not null,
    language text not null,
    roles text[] not null,
    password_hash text not null,
    created_at timestamptz not null
);
create index users_organisation on users (organisation_id, id);

create table clients (
    id text primary key,
    organisation_id text not null references organisations (id),
    name text not null,
    roles text[] not null,
    responsible_user_id text not null references users (id),
    secret_sha256 bytea not null check (octet_length(secret_sha256) = 32),
    created_at timestamptz not null,
    revoked_at timestamptz
);
create index clients_organisation on clients (organisation_id, id);

-- A mandate is never deleted: what was allowed on a past day can be told from its dates.
create table mandates (
    id text primary key,
    principal_organisation_id text not null references organisations (id),
    agent_organisation_id text not null references organisations (id),
    powers text[] not null check (cardinality(powers) > 0),
    document_types text[] not null,
    valid_from timestamptz not null,
    valid_to timestamptz check (valid_to > valid_from),
    granted_at timestamptz not null,
    granted_by text not null,
    revoked_at timestamptz,
    revoked_by text not null default '',
    check ((revoked_at is null) = (revoked_by = '')),
    check (principal_organisation_id <> agent_organisation_id)
);
create index mandates_principal on mandates (principal_organisation_id, agent_organisation_id, id);
create index mandates_agent on mandates (agent_organisation_id, id);

create table signing_keys (
    id text primary key,
    public_jwk text not null,
    sealed_private bytea not null,
    created_at timestamptz not null,
    signs_from timestamptz not null,
    retires_at timestamptz
);

-- The counter's row lock gives sequences out in the order in which they become visible.
create table revocation_counter (
    is_only boolean primary key default true check (is_only),
    last_sequence bigint not null default 0
);
insert into revocation_counter default values;
create table revocations (
    sequence bigint primary key,
    subject text not null,
    revoked_at timestamptz not null
);

create table requests (
    scope text not null,
    request_id text not null,
    action text not null,
    fingerprint bytea not null,
    answer_id text not null,
    made_at timestamptz not null,
    primary key (scope, request_id)
);

create table pack_versions (
    name text not null,
    version text not null,
    effective_from date not null,
    content jsonb not null,
    loaded_at timestamptz not null,
    primary key (name, version)
);
