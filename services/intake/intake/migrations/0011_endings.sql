-- When a title's validity is next looked at: nobody looks again until the document is saved once more.
alter table documents add column expiry_due timestamptz;
create index documents_to_expire on documents (expiry_due) where expiry_due is not null;

-- Closed for good: whatever a program believes, nothing of these changes any more.
create table cleared_titles (
    document_id uuid primary key references documents,
    cleared_at timestamptz not null
);
create trigger append_only before update or delete on cleared_titles
    for each row execute function refuse_change();

create function refuse_after_clearing() returns trigger language plpgsql as $$
begin
    if exists (select 1 from cleared_titles where document_id = new.document_id) then
        raise exception 'the title % is cleared', new.document_id using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end
$$;
create trigger not_after_clearing before update on title_lines
    for each row execute function refuse_after_clearing();
create trigger not_after_clearing before insert on title_entries
    for each row execute function refuse_after_clearing();
create trigger not_after_clearing before insert or update on imputations
    for each row execute function refuse_after_clearing();
create trigger not_after_clearing before insert or update on title_settlements
    for each row execute function refuse_after_clearing();
create trigger not_after_clearing before insert on settlement_entries
    for each row execute function refuse_after_clearing();
create trigger not_after_clearing before insert or update on payments
    for each row execute function refuse_after_clearing();
create trigger not_after_clearing before insert on amendments
    for each row execute function refuse_after_clearing();
create trigger not_after_clearing before update on documents
    for each row when (old.state <> new.state or old.version <> new.version) execute function refuse_after_clearing();
