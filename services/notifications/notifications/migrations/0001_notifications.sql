create table pack_versions (
    name text not null,
    version text not null,
    effective_from date not null,
    content json not null,
    loaded_at timestamptz not null,
    primary key (name, version)
);

-- A row without a reference is a document others already spoke of; its submission is still on its way here.
create table documents (
    document_id text primary key,
    reference text,
    document_type text,
    owner_organisation_id text,
    submitter_organisation_id text,
    pack_version text
);

create table waiting_events (
    event_id uuid primary key,
    document_id text not null references documents,
    type text not null,
    fields json not null,
    heard_at timestamptz not null
);
create index waiting_events_of_document on waiting_events (document_id);

create table deliveries (
    id text primary key,
    event_id uuid not null,
    rule text not null,
    recipient_id text not null,
    organisation_id text not null,
    channel text not null check (channel in ('in_app', 'email')),
    language text not null,
    address text not null check ((channel = 'email') = (address <> '')),
    title text not null,
    body text not null,
    document_id text not null,
    reference text not null,
    state text not null check (state in ('PENDING', 'SENT', 'FAILED')),
    attempts int not null default 0,
    due_at timestamptz not null,
    created_at timestamptz not null,
    sent_at timestamptz,
    read_at timestamptz,
    failure text not null default '',
    constraint one_delivery_each unique (event_id, rule, recipient_id, channel)
);
create index deliveries_feed on deliveries (organisation_id, id) where channel = 'in_app';
create index deliveries_feed_of_document on deliveries (organisation_id, document_id, id) where channel = 'in_app';
create index deliveries_due on deliveries (due_at) where state = 'PENDING';
