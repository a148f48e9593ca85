create table pack_versions (
    name text not null,
    version text not null,
    effective_from date not null,
    content json not null,
    loaded_at timestamptz not null,
    primary key (name, version)
);

create table price_versions (
    version text primary key,
    effective tstzrange not null check (not isempty(effective) and lower_inc(effective) and not upper_inc(effective)),
    currency char(3) not null,
    vat_rate numeric not null check (vat_rate between 0 and 1),
    constraint one_price_version_at_a_time exclude using gist (effective with &&)
);

create table tariff_items (
    version text not null references price_versions,
    code text not null,
    labels json not null,
    net_minor bigint not null check (net_minor >= 0),
    document_type text not null,
    billed_at text not null,
    segments json not null,
    primary key (version, code)
);

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'integrity_constraint_violation';
end
$$;

-- A price version may be closed; nothing else of it ever changes.
create function refuse_repricing() returns trigger language plpgsql as $$
begin
    if upper_inf(old.effective) and not upper_inf(new.effective)
        and lower(old.effective) = lower(new.effective)
        and (old.version, old.currency, old.vat_rate) = (new.version, new.currency, new.vat_rate) then
        return new;
    end if;
    raise exception 'price version % is in force as it was published', old.version
        using errcode = 'integrity_constraint_violation';
end
$$;

create trigger published before update on price_versions for each row execute function refuse_repricing();
create trigger kept before delete on price_versions for each row execute function refuse_change();
create trigger kept before update or delete on tariff_items for each row execute function refuse_change();
