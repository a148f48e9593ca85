alter table visits add column is_fixed boolean not null default false;
