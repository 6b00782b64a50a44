create table tokens (
    id                  uuid          primary key,
    -- SHA-256 of the whole token.
    hash                bytea not null unique,
    name                varchar(128)  not null,
    role                varchar(16)   not null,
    host                varchar(63),
    created_at          timestamp(6) with time zone not null,
    created_by          varchar(256)  not null,
    expires_at          timestamp(6) with time zone
);
