-- The prices that were shown when the draft was begun, and how long they hold.
alter table drafts add column price_version text not null default '';
alter table drafts add column price_locked_until timestamptz;
