-- The access log in one order without a gap, each line with the hash of its bytes as a leaf of a Merkle tree (RFC 9162).
-- A line gets both once, soon after its commit; nothing else of it ever changes.
alter table accesses
    add column seq bigint unique check (seq > 0),
    add column leaf_hash bytea check (octet_length(leaf_hash) = 32),
    add constraint both_or_neither check ((seq is null) = (leaf_hash is null));
create index accesses_unnumbered on accesses (access_id) where seq is null;

create table access_log_size (
    only_one boolean primary key default true check (only_one),
    size bigint not null
);
insert into access_log_size (size) values (0);

create function number_once() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and old.seq is null and new.seq is not null
        and (new.access_id, new.document_id, new.entry) = (old.access_id, old.document_id, old.entry)
    then
        return new;
    end if;
    raise exception '% is append-only', tg_table_name using errcode = 'integrity_constraint_violation';
end
$$;
drop trigger append_only on accesses;
create trigger append_only before update or delete on accesses
    for each row execute function number_once();
