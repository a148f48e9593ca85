-- What a sweep could not deal with waits here, and keeps nothing else waiting.
alter table timers add column parked_until timestamptz;
alter table information_requests add column parked_until timestamptz;
