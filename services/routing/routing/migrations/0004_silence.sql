-- Beside its term a task may have a second clock: when it has run out, silence decides.
alter table tasks add column tacit_outcome text not null default '';
alter table timers
    add column kind text not null default 'term' check (kind in ('term', 'tacit')),
    add constraint timers_tacit_has_no_ladder check (kind = 'term' or next_rung_at is null);
drop index timers_live;
create unique index timers_live on timers (task_id, kind) where state <> 'CANCELLED';
create unique index timers_tacit on timers (task_id) where kind = 'tacit';
create index timers_silent on timers (fire_at) where kind = 'tacit' and state = 'ARMED';
