-- Whoever signs up is an applicant until a document admits it. A number is one organisation's only once that is admitted:
-- nobody keeps a company out by signing up in its name.
alter table organisations add column state text not null default 'ACTIVE'
    check (state in ('APPLICANT', 'ACTIVE', 'REFUSED'));
alter table organisations alter column activated_at drop not null;
alter table organisations add check (state <> 'ACTIVE' or activated_at is not null);
alter table organisations add column signed_up_at timestamptz;
drop index organisations_company_number;
create unique index organisations_company_number on organisations (company_number, kind)
    where company_number <> '' and state = 'ACTIVE';
create index organisations_applicants on organisations (company_number, kind) where state = 'APPLICANT';
create index organisations_signed_up on organisations (signed_up_at) where state = 'APPLICANT';
