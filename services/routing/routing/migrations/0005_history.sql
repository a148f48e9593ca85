-- What routing remembers of owners and goods, for the risk of the documents that follow.

-- Whom an owner dealt with before; '' is the window itself: the owner's first operation.
create table acquaintances (
    owner_organisation_id text not null,
    partner text not null,
    document_id text not null,
    met_at timestamptz not null,
    primary key (owner_organisation_id, partner)
);
insert into acquaintances (owner_organisation_id, partner, document_id, met_at)
select distinct on (owner_organisation_id) owner_organisation_id, '', document_id, opened_at
from cases
order by owner_organisation_id, opened_at, id;

create table non_conformities (
    task_id text primary key references tasks,
    owner_organisation_id text not null,
    document_id text not null,
    decided_at timestamptz not null
);
create index non_conformities_of_owner on non_conformities (owner_organisation_id, decided_at);

-- Of each HS position and origin a few samples of every month, in a ring of months: it grows no further.
create table unit_values (
    hs6 text not null,
    origin text not null,
    slot integer not null check (slot between 0 and 399),
    month date not null,
    per_tonne bigint not null check (per_tonne >= 0),
    document_id text not null,
    primary key (hs6, origin, slot)
);
