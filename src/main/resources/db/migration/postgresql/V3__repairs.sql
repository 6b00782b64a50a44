-- Counts the repairs that were ordered, as mdevs.repair does.
alter table hosts add column reservation_repair integer default 0 not null;
alter table queue_drivers add column repair integer default 0 not null;
