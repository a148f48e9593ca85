-- What a version of a document has from the one it refers to, as that stood: a list of [its pointer, the source's pointer].
alter table document_links add column target_version int not null default 1;
alter table document_links add column carried json not null default '[]';
