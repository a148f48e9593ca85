-- What was paid of a title: opened by its first payment, and never more than customs imputed or the pack admits beforehand.
create table title_settlements (
    document_id uuid primary key references documents,
    currency text not null,
    amount_minor numeric(24) not null check (amount_minor >= 0),
    advance_minor numeric(24) not null check (advance_minor >= 0),
    payable_minor numeric(24) check (payable_minor >= 0),
    imputed_minor numeric(24) not null check (imputed_minor >= 0),
    paid_minor numeric(24) not null default 0 check (paid_minor >= 0),
    constraint never_over_admitted check (paid_minor <= greatest(least(imputed_minor, payable_minor), advance_minor))
);

create table payments (
    payment_id uuid primary key,
    document_id uuid not null references title_settlements,
    payment_number text not null,
    kind text not null check (kind in ('ADVANCE', 'SETTLEMENT')),
    state text not null check (state in ('RECORDED', 'CANCELLED')),
    paid_on date not null,
    amount_minor numeric(24) not null check (amount_minor > 0),
    currency text not null,
    agency text not null,
    recorded_at timestamptz not null,
    remaining_minor numeric(24) not null,
    fingerprint bytea not null,
    answer text not null,
    unique (document_id, payment_number)
);

create table settlement_entries (
    entry_id bigint generated always as identity primary key,
    document_id uuid not null references title_settlements,
    kind text not null check (kind in ('ADVANCE', 'SETTLEMENT', 'CANCELLED')),
    amount_minor numeric(24) not null check (amount_minor > 0),
    payment_id uuid not null references payments,
    actor text not null,
    at timestamptz not null
);
create index settlement_entries_of_document on settlement_entries (document_id, entry_id);

create trigger append_only before update or delete on settlement_entries
    for each row execute function refuse_change();
create trigger append_only_whole before truncate on settlement_entries
    for each statement execute function refuse_change();
