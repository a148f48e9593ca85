-- A letter that is `gathered` goes inside a digest, which is a letter itself: `digest_id` says in which one it went.
alter table deliveries add column gathered boolean not null default false;
alter table deliveries add column digest_id text references deliveries;
alter table deliveries drop constraint deliveries_state_check;
alter table deliveries add constraint deliveries_state_check check (state in ('PENDING', 'SENT', 'FAILED', 'GATHERED'));
alter table deliveries add check ((state = 'GATHERED') = (digest_id is not null));
create index deliveries_gathered on deliveries (due_at) where state = 'PENDING' and gathered;
alter table notification_preferences add column digest_at time[] not null default '{}';
