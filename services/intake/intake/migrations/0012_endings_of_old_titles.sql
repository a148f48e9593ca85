-- Titles whose validity began before anybody looked at its end.
update documents set expiry_due = valid_until where valid_until is not null and expiry_due is null;

create function refuse_removal_after_clearing() returns trigger language plpgsql as $$
begin
    if exists (select 1 from cleared_titles where document_id = old.document_id) then
        raise exception 'title % is cleared', old.document_id using errcode = 'integrity_constraint_violation';
    end if;
    return old;
end
$$;
create trigger not_removed_after_clearing before delete on payments
    for each row execute function refuse_removal_after_clearing();
create trigger not_removed_after_clearing before delete on title_settlements
    for each row execute function refuse_removal_after_clearing();
create trigger not_removed_after_clearing before delete on imputations
    for each row execute function refuse_removal_after_clearing();
create trigger not_removed_after_clearing before delete on title_lines
    for each row execute function refuse_removal_after_clearing();
