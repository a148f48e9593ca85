create table payers (
    organisation_id text primary key,
    billing_mode text not null,
    activated_at timestamptz not null
);

create table documents (
    document_id text primary key,
    reference text not null,
    document_type text not null,
    owner_organisation_id text not null,
    submitter_organisation_id text not null,
    billing_mode text not null
);

create table charges (
    id text primary key,
    tariff text not null,
    document_id text not null,
    reference text not null,
    milestone text not null,
    payer_organisation_id text not null,
    submitter_organisation_id text not null,
    price_version text not null,
    segment text not null,
    multiplier numeric not null,
    vat_rate numeric not null,
    currency char(3) not null,
    net_minor bigint not null check (net_minor >= 0),
    vat_minor bigint not null check (vat_minor >= 0),
    gross_minor bigint not null check (gross_minor > 0 and gross_minor = net_minor + vat_minor),
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    foreign key (price_version, tariff) references tariff_items (version, code),
    constraint one_charge_per_milestone unique (tariff, document_id, milestone)
);
create index charges_of_document on charges (document_id, id);
create index charges_of_payer on charges (payer_organisation_id, id);
create index charges_of_submitter on charges (submitter_organisation_id, id);

create table payer_sequences (
    organisation_id text primary key,
    last bigint not null
);

create table accounts (
    code text primary key,
    kind text not null check (kind in ('receivable', 'revenue', 'vat')),
    organisation_id text not null,
    currency char(3) not null,
    unique (code, currency),
    check ((kind = 'receivable') = (organisation_id <> ''))
);

create table journals (
    id text primary key,
    charge_id text not null unique references charges,
    payer_organisation_id text not null,
    payer_sequence bigint not null check (payer_sequence > 0),
    lines int not null check (lines > 1),
    booked_at timestamptz not null,
    unique (payer_organisation_id, payer_sequence)
);

create table entries (
    journal_id text not null references journals,
    line int not null,
    account text not null,
    currency char(3) not null,
    amount_minor bigint not null check (amount_minor <> 0),
    booked_at timestamptz not null,
    primary key (journal_id, line),
    foreign key (account, currency) references accounts (code, currency)
);
create index entries_of_account on entries (account, booked_at) include (amount_minor);

create trigger kept before update or delete on charges for each row execute function refuse_change();
create trigger kept before update or delete on journals for each row execute function refuse_change();
create trigger kept before update or delete on entries for each row execute function refuse_change();
create trigger kept_whole before truncate on charges for each statement execute function refuse_change();
create trigger kept_whole before truncate on journals for each statement execute function refuse_change();
create trigger kept_whole before truncate on entries for each statement execute function refuse_change();

-- A journal says how many lines it has, so that nothing is added to it later, not even in balance.
create function journal_must_balance() returns trigger language plpgsql as $$
declare
    journal text;
    balanced boolean;
    posted bigint;
begin
    if tg_table_name = 'journals' then
        journal := new.id;
    else
        journal := new.journal_id;
    end if;
    select bool_and(total = 0), sum(lines) into balanced, posted
    from (
        select sum(amount_minor) as total, count(*) as lines from entries where journal_id = journal group by currency
    ) as sums;
    if balanced is not true or posted <> (select lines from journals where id = journal) then
        raise exception 'journal % does not sum to zero', journal using errcode = 'check_violation';
    end if;
    return null;
end
$$;

create constraint trigger balanced after insert on journals
    deferrable initially deferred for each row execute function journal_must_balance();
create constraint trigger balanced after insert on entries
    deferrable initially deferred for each row execute function journal_must_balance();

-- Every charge is in the ledger by the end of its transaction.
create function charge_must_be_booked() returns trigger language plpgsql as $$
begin
    if not exists (select from journals where charge_id = new.id) then
        raise exception 'charge % has no journal', new.id using errcode = 'check_violation';
    end if;
    return null;
end
$$;

create constraint trigger booked after insert on charges
    deferrable initially deferred for each row execute function charge_must_be_booked();

-- Also when a session replays as a replica, where ordinary triggers sleep.
alter table charges enable always trigger kept;
alter table charges enable always trigger kept_whole;
alter table charges enable always trigger booked;
alter table journals enable always trigger kept;
alter table journals enable always trigger kept_whole;
alter table journals enable always trigger balanced;
alter table entries enable always trigger kept;
alter table entries enable always trigger kept_whole;
alter table entries enable always trigger balanced;

revoke update, delete, truncate on charges, journals, entries from public;
revoke update, delete, truncate on entries from current_user;
