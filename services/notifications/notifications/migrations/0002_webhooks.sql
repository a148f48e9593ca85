-- A request id makes a repeated request the same deed.
create table webhook_endpoints (
    id text primary key,
    request_id text not null unique,
    organisation_id text not null,
    url text not null,
    description text not null,
    event_types text[] not null,
    signature text not null check (signature in ('ed25519', 'hmac')),
    state text not null check (state in ('ENABLED', 'DISABLED')),
    disabled_reason text not null default '',
    disabled_at timestamptz,
    failing_since timestamptz,
    last_sequence bigint not null default 0,
    created_by text not null,
    created_at timestamptz not null,
    check ((state = 'DISABLED') = (disabled_at is not null))
);
create index webhook_endpoints_of_organisation on webhook_endpoints (organisation_id, id);

-- Two while one follows the other; the private part is sealed under the service secret.
create table webhook_keys (
    id text primary key,
    request_id text not null unique,
    endpoint_id text not null references webhook_endpoints on delete cascade,
    public bytea not null,
    sealed_private bytea not null,
    created_at timestamptz not null,
    expires_at timestamptz
);
create index webhook_keys_of_endpoint on webhook_keys (endpoint_id, created_at);

-- `body` is text and never re-serialised: what is signed is what is sent.
create table webhook_deliveries (
    id text primary key,
    endpoint_id text not null references webhook_endpoints on delete cascade,
    event_id uuid not null,
    sequence bigint not null,
    type text not null,
    document_id text not null,
    body text not null,
    state text not null check (state in ('PENDING', 'HELD', 'DELIVERED', 'FAILED')),
    attempts int not null default 0,
    due_at timestamptz not null,
    created_at timestamptz not null,
    attempted_at timestamptz,
    delivered_at timestamptz,
    response_status int,
    response_body text not null default '',
    failure text not null default '',
    constraint one_webhook_each unique (event_id, endpoint_id),
    constraint webhook_sequence unique (endpoint_id, sequence)
);
create index webhook_deliveries_due on webhook_deliveries (endpoint_id, due_at) where state = 'PENDING';
create index webhook_deliveries_age on webhook_deliveries (created_at);
