-- Who read and who wrote each document. `entry` is the RFC 8785 form of what happened: the row's other columns repeat it.
create table accesses (
    access_id uuid primary key,
    document_id uuid not null,
    entry text not null
);
create index accesses_of_document on accesses (document_id, access_id desc);

create trigger append_only before update or delete on accesses
    for each row execute function refuse_change();
create trigger append_only_whole before truncate on accesses
    for each statement execute function refuse_change();
