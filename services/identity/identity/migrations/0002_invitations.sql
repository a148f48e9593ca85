-- What a token proves is kept as a hash; the token itself travels sealed, in the one letter it is for.
create table invitations (
    id text primary key,
    organisation_id text not null references organisations (id),
    email text not null,
    name text not null,
    language text not null,
    roles text[] not null check (cardinality(roles) > 0),
    token_sha256 bytea not null check (octet_length(token_sha256) = 32),
    invited_by text not null,
    invited_at timestamptz not null,
    expires_at timestamptz not null check (expires_at > invited_at),
    failed_tries int not null default 0 check (failed_tries between 0 and 10),
    ended_at timestamptz,
    outcome text not null default '' check (outcome in ('', 'ACCEPTED', 'REVOKED', 'REPLACED')),
    user_id text references users (id),
    check ((ended_at is null) = (outcome = '')),
    check ((outcome = 'ACCEPTED') = (user_id is not null))
);
create unique index invitations_open on invitations (organisation_id, email) where ended_at is null;
create index invitations_organisation on invitations (organisation_id, id);
create index invitations_address on invitations (email, invited_at);

-- Machines from before were registered under the rule of their day.
alter table clients add column confirmed_at timestamptz;
update clients set confirmed_at = created_at;

alter table users add column dismissed_at timestamptz;

create function administrator_remains() returns trigger language plpgsql as $$
declare
    administers text[] := array['org_admin', 'operator_admin'];
begin
    if old.dismissed_at is null and old.roles && administers
        and (new.dismissed_at is not null or not new.roles && administers)
        and not exists (
            select 1 from users
            where organisation_id = old.organisation_id and dismissed_at is null and roles && administers
        )
    then
        raise exception 'the last administrator of %', old.organisation_id
            using errcode = 'check_violation', constraint = 'administrator_remains';
    end if;
    return null;
end
$$;
create trigger administrator_remains after update on users for each row execute function administrator_remains();
