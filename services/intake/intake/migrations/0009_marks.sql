-- Values that no two documents of a type may have, while both stand: what a document said there when a stage was completed.
create table document_marks (
    document_id uuid not null references documents,
    place text not null,
    document_type text not null,
    value text not null,
    primary key (document_id, place)
);
create index document_marks_value on document_marks (document_type, place, md5(value));
