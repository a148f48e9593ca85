-- The trace a letter belongs to, so that its sending is told there.
alter table deliveries add column traceparent text not null default '';
