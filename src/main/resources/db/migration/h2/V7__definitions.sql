-- What mdevctl would make of mdevs on the host, as JSON; null: not known. Written only when a report tells another.
alter table hosts add column definitions varchar(1000000);
