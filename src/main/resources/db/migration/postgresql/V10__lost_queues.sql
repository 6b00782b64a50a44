-- What an attached guest lost although nobody took it away, for the metrics.
alter table mdevs add column lost_apm bytea;
alter table mdevs add column lost_aqm bytea;
alter table mdevs add column guest_queues_lost integer default 0 not null;
