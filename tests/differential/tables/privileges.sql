-- What the reader may not see; run after everything else has been granted.
revoke all on guarded.columns, guarded.refused from stringx_reader;
grant select (shown, ref) on guarded.columns to stringx_reader;
create schema marts authorization stringx_reader;
create schema marts_dbt_test__audit authorization stringx_reader;
create view marts.doubled as select * from made.doubled;
grant select on marts.doubled to stringx_reader;
grant usage on sequence made.numbers to stringx_reader;
