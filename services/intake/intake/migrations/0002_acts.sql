-- What was answered to an act on a standing document, kept for ever: the same key is the same answer.
create table acts (
    organisation_id text not null,
    idempotency_key text not null,
    fingerprint bytea not null,
    document_id uuid not null references documents,
    version int not null,
    answer_head text not null,
    answer_tail text not null,
    etag text not null,
    primary key (organisation_id, idempotency_key),
    foreign key (document_id, version) references document_versions
);
create trigger append_only before update or delete on acts
    for each row execute function refuse_change();
