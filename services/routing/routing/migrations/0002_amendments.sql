-- What the case was opened again for, last: one amendment at a time, never two of the same version.
alter table cases add column amendment json;
alter table cases alter column amendment set storage external;
