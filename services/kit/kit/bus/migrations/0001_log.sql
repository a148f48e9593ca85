create table topics (
    topic text primary key,
    next_position bigint not null
);

create table log (
    topic text not null,
    position bigint not null,
    event_id uuid not null,
    key text not null,
    type text not null,
    time timestamptz not null,
    payload bytea not null,
    traceparent text not null,
    primary key (topic, position)
);

create table positions (
    consumer_group text not null,
    topic text not null,
    position bigint not null,
    primary key (consumer_group, topic)
);
