-- Made by restore-mark: positions between the newest that the backup had and the first that is given anew. The database
-- that was lost gave some of them, nobody knows how many.
create table lost_positions (
    kept                bigint        not null,
    resumed             bigint        not null
);
