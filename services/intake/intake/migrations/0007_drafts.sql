-- What is written and not yet submitted. Nothing else knows of it: it may change, and go.
create table drafts (
    draft_id uuid primary key,
    type text not null,
    owner_organisation_id text not null,
    writer_organisation_id text not null,
    written_by text not null,
    label text not null,
    is_template boolean not null,
    body json not null,
    copied_from text not null,
    copied_reference text not null,
    revision int not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    idempotency_key text,
    fingerprint bytea not null,
    document_id uuid unique references documents,
    unique (writer_organisation_id, idempotency_key),
    check (document_id is null or not is_template)
);
create index drafts_of_owner on drafts (owner_organisation_id, draft_id desc);
create index drafts_of_writer on drafts (writer_organisation_id, draft_id desc);
create index drafts_by_age on drafts (updated_at) where not is_template;
