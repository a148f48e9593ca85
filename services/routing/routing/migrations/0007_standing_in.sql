-- Who is away, and who acts in that place meanwhile.
create table absences (
    id text primary key,
    agency text not null check (agency <> ''),
    person text not null check (person <> ''),
    delegate text not null check (delegate <> ''),
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    created_by text not null,
    request_id text not null,
    created_at timestamptz not null,
    ended_at timestamptz,
    unique (created_by, request_id),
    check (person <> delegate),
    check (starts_at < ends_at)
);
create index absences_of_agency on absences (agency, id);
create index absences_of_delegate on absences (delegate, agency) where ended_at is null;

alter table tasks
    add column claimed_at timestamptz,
    -- The steps in which nobody may act who acts here, by commas.
    add column exclusive text not null default '';
create index tasks_claimed on tasks (claimed_at) where state = 'CLAIMED';

alter table signatures add column on_behalf_of text not null default '';
alter table signatures add constraint signatures_not_for_oneself check (on_behalf_of <> person);

-- Four eyes are two persons, also through delegation and in either direction; and who signed one of two incompatible steps signs
-- none of the other. After the statement, so that what it voids is void.
create function signatures_are_by_whom_they_may() returns trigger language plpgsql as $$
begin
    if exists (
        select from signatures as other
        where other.task_id = new.task_id and other.id <> new.id and other.voided_at is null
            and array[other.person, nullif(other.on_behalf_of, '')] && array[new.person, nullif(new.on_behalf_of, '')]
    ) then
        raise exception 'signed already, by one of the same persons'
            using errcode = 'unique_violation', constraint = 'signatures_four_eyes';
    end if;
    if exists (
        select from tasks as mine
        join tasks as theirs on theirs.case_id = mine.case_id
            and theirs.step = any(string_to_array(mine.exclusive, ','))
        join signatures as other on other.task_id = theirs.id
        where mine.id = new.task_id and other.voided_at is null
            and array[other.person, nullif(other.on_behalf_of, '')] && array[new.person, nullif(new.on_behalf_of, '')]
    ) then
        raise exception 'one of these persons signed an incompatible step'
            using errcode = 'unique_violation', constraint = 'signatures_incompatible';
    end if;
    return null;
end
$$;
create trigger signatures_by_whom_they_may
    after insert or update on signatures
    for each row when (new.voided_at is null)
    execute function signatures_are_by_whom_they_may();
