-- Views, generated columns, names that need quotes, and tables that others may not see.
create schema made;
create table made.base (
    id integer primary key,
    name text not null,
    amount integer,
    twice integer generated always as (amount * 2) stored,
    half numeric generated always as (100.0 / amount) virtual,
    label text generated always as (upper(name)) virtual not null,
    "Mixed" integer
);
insert into made.base (id, name, amount, "Mixed") values
    (1, 'a', 1, 1), (2, 'b', 2, 1), (3, 'c', null, null);
create table made.zero (like made.base including all);
insert into made.zero (id, name, amount) values (1, 'a', 1), (2, 'b', 0);
create view made.plain_view as select * from made.base;
create view made.doubled as select * from made.base union all select * from made.base;
create view made.joined as
    select b.id, b.name, p.key, p.code from made.base b left join bound.parents p on p.key = b.amount;
create view made.aggregated as select amount, count(*) as n from made.base group by amount;
create view made.failing as select id, 1 / (id - 2) as inverse, name from made.base;
create view made.barrier with (security_barrier) as select * from made.base where amount is not null;
create materialized view made.stored as select * from made.doubled;
create unique index on made.stored (id, name, amount) where id > 99;
create materialized view made.keyed_view as select * from made.base;
create unique index on made.keyed_view (id);
create materialized view made.unfilled as select * from made.base with no data;
create table made."no columns" ();
insert into made."no columns" default values;
create sequence made.numbers;

create schema "Odd.Schema";
create table "Odd.Schema"."select" (
    "order" integer not null, "User" text, "with space" integer, "dot.ted" integer,
    "ünïcödé" text, "select" integer, "日本語" text, "user" text, "%s" integer, "a--b" integer,
    "semi;colon" integer, "$1" integer, "it's" integer,
    a23456789012345678901234567890123456789012345678901234567890123 integer
);
insert into "Odd.Schema"."select" values
    (1, 'a', 1, 1, 'é', 1, 'x', 'A', 1, 1, 1, 1, 1, 1),
    (2, 'a', 1, null, 'e', null, 'x', 'a', 1, null, 2, null, 1, 1),
    (3, null, null, 2, null, 3, null, null, null, 2, null, 3, 3, null);
create table "Odd.Schema"."Tab le.é" ("Id" integer, id integer, "ID" integer primary key);
insert into "Odd.Schema"."Tab le.é" values (1, 1, 1), (1, 2, 2), (null, null, 3);
create table "Odd.Schema".select_too (select_too integer, dbt_subquery integer, value_field integer,
    n_records integer, dbt_internal_test integer, failures integer, child integer, from_field integer,
    all_values text);
insert into "Odd.Schema".select_too values
    (1, 1, 1, 1, 1, 1, 1, 1, 'a'), (1, 1, 1, 2, 1, 2, 2, 99, 'a'),
    (null, null, null, null, null, null, null, null, null);
create table "Odd.Schema"."t""q" ("c""q" integer, "c'q" integer);
insert into "Odd.Schema"."t""q" values (1, 1), (1, null);

-- The same name in two schemas: what holds of one says nothing of the other.
create schema twin;
create table twin.base (id integer, name text, amount integer);
insert into twin.base values (1, null, 1), (1, null, -1);
create table twin.parents (key integer);
insert into twin.parents values (99);

-- Row level security: the reader sees fewer rows than there are.
create schema guarded;
create table guarded.parents (key integer primary key, seen boolean);
insert into guarded.parents values (1, true), (2, false), (3, true);
alter table guarded.parents enable row level security;
create policy only_seen on guarded.parents to stringx_reader using (seen);
create table guarded.children (
    id integer primary key, parent integer references guarded.parents (key), word text
);
insert into guarded.children values (1, 1, 'a'), (2, 2, 'b'), (3, 2, null), (4, null, 'c');
create table guarded.rows (id integer not null, word text, parent integer references bound.parents);
insert into guarded.rows values (1, 'a', 1), (1, null, 2), (2, 'a', null);
alter table guarded.rows enable row level security;
create policy some_rows on guarded.rows to stringx_reader using (id = 1);
create table guarded.nothing (id integer primary key, parent integer references bound.parents);
insert into guarded.nothing values (1, 1), (2, 2);
alter table guarded.nothing enable row level security;
create table guarded.tenants (id integer primary key, tenant integer not null,
    parent integer references bound.parents);
insert into guarded.tenants values (1, 1, 1), (2, 2, null);
alter table guarded.tenants enable row level security;
create policy of_tenant on guarded.tenants to stringx_reader
    using (tenant = current_setting('app.tenant')::integer);
create table guarded.owned_by_no_policy (id integer);
insert into guarded.owned_by_no_policy values (null), (null);

-- Column privileges (see privileges.sql): `shown` may be read, `hidden` may not.
create table guarded.columns (shown integer not null, hidden integer not null unique,
    ref integer references bound.parents (key));
insert into guarded.columns values (1, 1, 1), (1, 2, null);
create schema closed;
create table closed.table (id integer primary key);
insert into closed.table values (1);
create table guarded.refused (id integer primary key, parent integer references bound.parents (key));
insert into guarded.refused values (1, 1);
create table guarded.to_refused (id integer references guarded.refused (id));
insert into guarded.to_refused values (1), (null);
create table guarded.to_hidden (hidden integer references guarded.columns (hidden));
insert into guarded.to_hidden values (1), (2), (null);
