-- What approvals depend on. `gates` are the outcomes of the step `met_in` that wait until it is met.
create table conditions (
    id text primary key,
    case_id text not null references cases,
    task_id text not null references tasks,
    step text not null,
    agency text not null,
    code text not null check (code <> ''),
    remarks text not null,
    imposed_by text not null,
    imposed_at timestamptz not null,
    parameters json not null,
    met_in text not null,
    gates text[] not null,
    met_task_id text not null default '',
    met_at timestamptz,
    check ((met_task_id = '') = (met_at is null)),
    check (met_in <> '' or met_at is null)
);
create index conditions_of_case on conditions (case_id);

alter table signatures
    add column imposes json not null default '[]',
    -- Ids of conditions, by commas.
    add column satisfies text not null default '';

-- No approval passes over a condition that waits for its step, and what was set or met stays so.
create function approvals_meet_their_conditions() returns trigger language plpgsql as $$
begin
    if exists (
        select from conditions
        where case_id = new.case_id and met_in = new.step and met_at is null and new.outcome = any(gates)
    ) then
        raise exception 'a condition on an earlier approval is not met'
            using errcode = 'check_violation', constraint = 'conditions_before_approval';
    end if;
    return null;
end
$$;
create trigger approvals_meet_their_conditions
    after update on tasks
    for each row when (new.state = 'DECIDED' and old.state <> 'DECIDED')
    execute function approvals_meet_their_conditions();

create function conditions_are_met_once() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or old.met_at is not null
        or (new.case_id, new.task_id, new.code, new.parameters::text, new.met_in)
            is distinct from (old.case_id, old.task_id, old.code, old.parameters::text, old.met_in)
    then
        raise exception 'conditions are set once and met once' using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end
$$;
create trigger conditions_are_met_once before update or delete on conditions
    for each row execute function conditions_are_met_once();
