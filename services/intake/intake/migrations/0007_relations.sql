-- To which documents a version of a document refers; those of the version in effect count.
create table document_links (
    document_id uuid not null references documents,
    version int not null,
    kind text not null,
    target_document_id uuid not null references documents,
    primary key (document_id, version, kind, target_document_id)
);
create index document_links_of_target on document_links (target_document_id);
create trigger append_only before update or delete on document_links
    for each row execute function refuse_change();

-- By what else than its reference a version of a document is found: written in capitals and digits alone.
create table search_keys (
    document_id uuid not null references documents,
    version int not null,
    kind text not null,
    key text not null,
    primary key (document_id, version, kind, key)
);
create index search_keys_by_key on search_keys (key text_pattern_ops, document_id);
create trigger append_only before update or delete on search_keys
    for each row execute function refuse_change();

create index documents_by_reference_key
    on documents ((regexp_replace(upper(reference), '[^0-9A-Z]', '', 'g')) text_pattern_ops, document_id);
create index imputations_by_declaration_key
    on imputations ((regexp_replace(upper(declaration_number), '[^0-9A-Z]', '', 'g')) text_pattern_ops, document_id);
