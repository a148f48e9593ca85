-- The prices that its draft was promised; empty for those of the day.
alter table documents add column price_version text not null default '';
