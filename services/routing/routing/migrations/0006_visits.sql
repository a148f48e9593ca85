-- Appointments to look at goods. One at a time for a document, by number; what was proposed is never forgotten.
create table visits (
    id text primary key,
    case_id text not null references cases,
    document_id text not null,
    number integer not null check (number > 0),
    step text not null,
    place text not null check (place <> ''),
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    proposed_by text not null check (proposed_by <> ''),
    person text not null check (person <> ''),
    proposed_at timestamptz not null,
    request_id text not null,
    state text not null check (state in ('PROPOSED', 'CONFIRMED', 'DECLINED', 'MISSED', 'DONE', 'CANCELLED')),
    ended_by text not null,
    reason text not null,
    closed_at timestamptz,
    unique (document_id, number),
    unique (document_id, request_id),
    check (ends_at > starts_at),
    check ((state in ('PROPOSED', 'CONFIRMED')) = (closed_at is null))
);
create unique index visits_one_live on visits (document_id) where state in ('PROPOSED', 'CONFIRMED');

create table visit_parties (
    visit_id text not null references visits,
    party text not null check (party <> ''),
    position integer not null,
    confirmed_by text not null,
    confirmed_at timestamptz,
    findings text not null,
    recorded_by text not null,
    recorded_at timestamptz,
    primary key (visit_id, party),
    check ((confirmed_at is null) = (confirmed_by = '')),
    check ((recorded_at is null) = (recorded_by = '')),
    check (recorded_at is null or confirmed_at is not null)
);

-- Who did not come. Never taken back.
create table no_shows (
    id text primary key,
    visit_id text not null references visits,
    document_id text not null,
    owner_organisation_id text not null,
    submitter_organisation_id text not null,
    party text not null,
    told_by text not null check (told_by <> party),
    person text not null check (person <> ''),
    told_at timestamptz not null,
    unique (visit_id, party),
    foreign key (visit_id, party) references visit_parties,
    foreign key (visit_id, told_by) references visit_parties (visit_id, party)
);
create index no_shows_of_party on no_shows (party, told_at desc, id desc);
create index no_shows_told_by on no_shows (told_by, told_at desc, id desc);
create index no_shows_of_owner on no_shows (owner_organisation_id, told_at desc, id desc);
create index no_shows_of_submitter on no_shows (submitter_organisation_id, told_at desc, id desc);
create index no_shows_of_all on no_shows (told_at desc, id desc);

create function no_shows_stay() returns trigger language plpgsql as $$
begin
    raise exception 'no-shows are never changed';
end $$;
create trigger no_shows_stay before update or delete on no_shows
    for each row execute function no_shows_stay();

-- A visit is agreed when every party has confirmed it, and done when every agency has recorded it. `operator` is no agency.
create function visits_are_agreed() returns trigger language plpgsql as $$
begin
    if new.state in ('CONFIRMED', 'MISSED', 'DONE') and exists (
        select from visit_parties where visit_id = new.id and confirmed_at is null
    ) then
        raise check_violation using message = 'a party has not confirmed visit ' || new.id;
    end if;
    if new.state = 'DONE' and exists (
        select from visit_parties where visit_id = new.id and party <> 'operator' and recorded_at is null
    ) then
        raise check_violation using message = 'an agency has not recorded visit ' || new.id;
    end if;
    return null;
end $$;
create constraint trigger visits_are_agreed after insert or update on visits
    deferrable initially deferred for each row execute function visits_are_agreed();
