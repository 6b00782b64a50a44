-- Of an operator's token, as JSON: labels that a host must have for anything there to be changed.
alter table tokens add column scope varchar(16384) default '{}' not null;
