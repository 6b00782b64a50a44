-- What of a host drifted, as its newest report was judged: what failed differs too, and is no drift.
alter table hosts add column reservation_drifted boolean default false not null;
alter table queue_drivers add column drifted boolean default false not null;
