-- The rules a document was submitted under say what is given back of its charges.
alter table documents add column pack_version text not null default '';

-- Why charges of a document are given back: heard once for each policy, be it before the charges themselves.
create table refund_grounds (
    document_id text not null,
    policy text not null,
    labels json not null,
    tariffs text[] not null,
    share numeric not null check (share > 0 and share <= 1),
    event text not null,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    primary key (document_id, policy)
);

create table credits (
    id text primary key,
    charge_id text not null references charges,
    document_id text not null,
    policy text not null,
    currency char(3) not null,
    net_minor bigint not null check (net_minor >= 0),
    vat_minor bigint not null check (vat_minor >= 0),
    gross_minor bigint not null check (gross_minor > 0 and gross_minor = net_minor + vat_minor),
    recorded_at timestamptz not null,
    foreign key (document_id, policy) references refund_grounds,
    constraint one_credit_per_policy unique (charge_id, policy)
);

-- All that was ever given back of a charge; its limits are the charge's own, whoever writes it.
create table credited (
    charge_id text primary key references charges,
    net_charged bigint not null,
    vat_charged bigint not null,
    net_minor bigint not null check (net_minor >= 0),
    vat_minor bigint not null check (vat_minor >= 0),
    constraint never_more_than_charged check (net_minor <= net_charged and vat_minor <= vat_charged)
);
create function limit_to_charge() returns trigger language plpgsql as $$
begin
    select charges.net_minor, charges.vat_minor into new.net_charged, new.vat_charged
    from charges where charges.id = new.charge_id;
    return new;
end
$$;
create trigger limited before insert or update on credited for each row execute function limit_to_charge();
create trigger kept before delete on credited for each row execute function refuse_change();

alter table journals add column credit_id text unique references credits;
alter table journals drop constraint journals_charge_id_key;
create unique index one_journal_per_charge on journals (charge_id) where credit_id is null;
create index journals_of_charge on journals (charge_id) where credit_id is not null;

create trigger kept before update or delete on refund_grounds for each row execute function refuse_change();
create trigger kept before update or delete on credits for each row execute function refuse_change();
create trigger kept_whole before truncate on credits for each statement execute function refuse_change();

-- Every credit is in the ledger, and in what was ever given back, by the end of its transaction.
create function credit_must_be_booked() returns trigger language plpgsql as $$
begin
    if not exists (select from journals where credit_id = new.id) then
        raise exception 'credit % has no journal', new.id using errcode = 'check_violation';
    end if;
    if (select (net_minor, vat_minor) from credited where charge_id = new.charge_id) is distinct from
        (select (sum(net_minor)::bigint, sum(vat_minor)::bigint) from credits where charge_id = new.charge_id) then
        raise exception 'credit % is not counted', new.id using errcode = 'check_violation';
    end if;
    return null;
end
$$;
create constraint trigger booked after insert on credits
    deferrable initially deferred for each row execute function credit_must_be_booked();

alter table credits enable always trigger kept;
alter table credits enable always trigger kept_whole;
alter table credits enable always trigger booked;
alter table credited enable always trigger limited;
alter table credited enable always trigger kept;

revoke update, delete, truncate on credits, refund_grounds from public;
