-- Looked for each second, among all mdevs.
create index mdevs_by_repair on mdevs (repair_due) where repair_due is not null;
