-- A version beyond the first is an amendment; it is in effect once ACCEPTED. The others keep their number and receipt.
create table amendments (
    document_id uuid not null,
    version int not null check (version > 1),
    state text not null check (state in ('PROPOSED', 'ACCEPTED', 'REJECTED', 'DROPPED')),
    from_state text not null,
    facts json not null,
    changes json not null,
    remarks text not null,
    proposed_by text not null,
    proposed_at timestamptz not null,
    decided_at timestamptz,
    primary key (document_id, version),
    foreign key (document_id, version) references document_versions,
    check ((state = 'PROPOSED') = (decided_at is null))
);
create unique index one_proposal_at_a_time on amendments (document_id) where state = 'PROPOSED';
