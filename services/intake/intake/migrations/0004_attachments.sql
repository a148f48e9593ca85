-- Kept under the hash of their bytes, once, for ever.
create table attachments (
    sha256 text primary key check (sha256 ~ '^[0-9a-f]{64}$'),
    media_type text not null,
    size_bytes bigint not null check (size_bytes > 0),
    state text not null check (state in ('PENDING', 'CLEAN', 'INFECTED')),
    finding text not null default '',
    stored_at timestamptz not null,
    judged_at timestamptz
);
create index attachments_pending on attachments (stored_at) where state = 'PENDING';

-- Who brought it may read it, whatever documents say.
create table attachment_holders (
    organisation_id text not null,
    sha256 text not null references attachments,
    stored_by text not null,
    stored_at timestamptz not null,
    primary key (organisation_id, sha256)
);

-- Whoever may read a document may read what it refers to.
create table attachment_references (
    sha256 text not null references attachments,
    document_id uuid not null references documents,
    primary key (sha256, document_id)
);

create trigger append_only before update or delete on attachment_holders
    for each row execute function refuse_change();
create trigger append_only before update or delete on attachment_references
    for each row execute function refuse_change();
