-- Which types of event a consumer hears, and since when: what must be in its inbox, once published, can be told from this.
create table hearing (
    consumer text not null,
    type text not null,
    since timestamptz not null,
    primary key (consumer, type)
);
