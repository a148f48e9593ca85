-- What approvals of a document depend on. One that a declaration meets stands for ever: each imputation meets it anew.
create table document_conditions (
    condition_id text primary key,
    document_id uuid not null references documents,
    task_id text not null,
    agency text not null,
    step text not null,
    code text not null,
    parameters json not null,
    remarks text not null,
    blocks text not null check (blocks in ('', 'imputation', 'release')),
    met_by text not null check (met_by in ('step', 'attachment', 'declaration')),
    imposed_by text not null,
    imposed_at timestamptz not null,
    state text not null check (state in ('OPEN', 'STANDING', 'SATISFIED')),
    met_by_whom text not null default '',
    met_at timestamptz,
    evidence json,
    check ((state = 'STANDING') = (met_by = 'declaration')),
    check ((state = 'SATISFIED') = (met_at is not null))
);
create index document_conditions_of_document on document_conditions (document_id);

create function conditions_are_met_once() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or old.state <> 'OPEN'
        or (new.document_id, new.code, new.parameters::text, new.blocks, new.met_by)
            is distinct from (old.document_id, old.code, old.parameters::text, old.blocks, old.met_by)
    then
        raise exception 'conditions are set once and met once' using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end
$$;
create trigger conditions_are_met_once before update or delete on document_conditions
    for each row execute function conditions_are_met_once();

-- The standing conditions that were judged, and found met, before this was taken.
alter table imputations add column conditions_met text[] not null default '{}';

-- The goods of a title that customs let go, once for each declaration.
create table releases (
    document_id uuid not null references documents,
    declaration_number text not null,
    declaration_document_id uuid not null references documents,
    released_at timestamptz not null,
    conditions_met text[] not null default '{}',
    primary key (document_id, declaration_number)
);

create function refuse_unmet_conditions() returns trigger language plpgsql as $$
begin
    if exists (
        select from document_conditions
        where document_id = new.document_id and blocks = tg_argv[0]
            and (state = 'OPEN' or (state = 'STANDING' and condition_id <> all(new.conditions_met)))
    ) then
        raise exception 'a condition on the approval of % is not met', new.document_id
            using errcode = 'check_violation', constraint = 'conditions_hold';
    end if;
    return new;
end
$$;
create trigger conditions_hold before insert or update of state on imputations
    for each row when (new.state in ('RESERVED', 'CONSUMED')) execute function refuse_unmet_conditions('imputation');
create trigger conditions_hold before insert on releases
    for each row execute function refuse_unmet_conditions('release');
create trigger append_only before update or delete on releases
    for each row execute function refuse_change();
