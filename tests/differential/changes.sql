-- A table, and changes of it one after the other. Each breaks what was proved, or known, before.

--- at first
create schema changing;
create table changing.parents (key integer primary key);
insert into changing.parents values (1), (2);
create table changing.rows (
    id integer primary key, name text not null, amount integer check (amount >= id),
    parent integer references changing.parents (key), unique (id, name)
);
create unique index rows_name on changing.rows (name);
alter table changing.rows add constraint listed check (name in ('a', 'b', 'c'));
insert into changing.rows values (1, 'a', 1, 1), (2, 'b', 2, 2), (3, 'c', 3, null);
grant usage on schema changing to stringx_reader;
grant select on all tables in schema changing to stringx_reader;

--- a constraint is dropped
alter table changing.rows drop constraint listed;
insert into changing.rows values (4, 'd', 4, 1);

--- an index is dropped
drop index changing.rows_name;
insert into changing.rows values (5, 'd', 5, 1);

--- NOT NULL is dropped
alter table changing.rows alter name drop not null;
insert into changing.rows values (6, null, 6, 2);

--- the foreign key is dropped
alter table changing.rows drop constraint rows_parent_fkey;
insert into changing.rows values (7, 'e', 7, 77);

--- a CHECK of two columns is dropped
alter table changing.rows drop constraint rows_check;
insert into changing.rows values (8, 'f', -8, 1);

--- the primary key is dropped
alter table changing.rows drop constraint rows_pkey;
alter table changing.rows alter id drop not null;
insert into changing.rows values (8, 'g', 9, 1), (null, 'g', 9, 1);

--- the last key is dropped
alter table changing.rows drop constraint rows_id_name_key;
insert into changing.rows values (8, 'g', 9, 1);

--- the broken rows go
delete from changing.rows where id is null or id > 3 or name is null;

--- the primary key comes back
alter table changing.rows add primary key (id);

--- a child inherits
create table changing.more () inherits (changing.rows);
insert into changing.more values (1, null, 0, 99);

--- the child may be read
grant select on changing.more to stringx_reader;

--- a column becomes text
drop table changing.more;
alter table changing.rows alter amount type text;

--- and a number again
alter table changing.rows alter amount type integer using amount::integer;

--- row security, which shows nothing
alter table changing.rows enable row level security;

--- a policy, which shows some
create policy shown on changing.rows to stringx_reader using (id <> 1);

--- only two columns may be read
alter table changing.rows disable row level security;
revoke select on changing.rows from stringx_reader;
grant select (id, name) on changing.rows to stringx_reader;

--- a column has another name
grant select on changing.rows to stringx_reader;
alter table changing.rows rename name to title;

--- its name again, and the foreign key
alter table changing.rows rename title to name;
alter table changing.rows add foreign key (parent) references changing.parents (key);

--- the parent's rows are hidden
alter table changing.parents enable row level security;

--- the parent is gone
alter table changing.parents disable row level security;
alter table changing.rows drop constraint rows_parent_fkey;
drop table changing.parents;

--- a view takes the table's place
alter table changing.rows rename to kept;
create view changing.rows as select id, null::text as name, amount, parent from changing.kept;
create view changing.parents as select 1 as key;
grant select on changing.rows, changing.parents to stringx_reader;

--- the view is another one
create or replace view changing.rows as select 1 as id, 'z'::text as name, amount, parent from
    changing.kept;

--- the view breaks
create or replace view changing.rows as select 1 / (id - 1) as id, 'z'::text as name, amount,
    parent from changing.kept;

--- nothing is there
drop view changing.rows;

--- the table is back
alter table changing.kept rename to rows;
