-- `muted` is a list of [rule, channel]; quiet hours are local to the pack's timezone.
create table notification_preferences (
    person_id text primary key,
    organisation_id text not null,
    muted json not null,
    quiet_begins time,
    quiet_ends time,
    updated_at timestamptz not null,
    check ((quiet_begins is null) = (quiet_ends is null)),
    check (quiet_begins <> quiet_ends)
);
