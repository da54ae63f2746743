-- Ordinary tables for tests of every shape, and values on which expressions break.
create schema shop;
create table shop.customers (id integer, email text, country text, since date);
insert into shop.customers values
    (1, 'a@x.org', 'NL', '2020-01-01'), (2, 'b@x.org', 'DE', '2021-06-01'),
    (3, null, 'XX', '2022-01-01'), (3, 'not mail', null, null), (null, 'c@x.org', 'NL', 'infinity');
create table shop.orders (
    id integer, customer integer, amount numeric(10, 2), placed date, state text, tags text[],
    notes jsonb, quantity integer
);
insert into shop.orders values
    (1, 1, 10.00, '2024-01-01', 'paid', '{a,b}', '{"gift": true}', 1),
    (2, 1, 20.50, '2024-01-02', 'open', '{}', '{"gift": false}', 2),
    (3, 2, -5.00, '2024-01-03', 'Paid', null, null, 0),
    (4, 9, null, '2024-01-05', 'lost', '{a}', '{}', 3),
    (5, null, 0, null, null, '{NULL}', 'null', null),
    (5, 3, 1000000, '2024-01-04', 'o''k', '{x,y,z}', '[]', 1),
    (6, 3, 7, '2024-01-06', 'open', '{}', '{"gift": "maybe"}', 1);
create table shop.fine (id integer, customer integer, amount numeric, state text);
insert into shop.fine select i, 1, i, 'paid' from generate_series(1, 20) i;
create table shop.nothing (like shop.orders);
create table shop.many (id integer, n integer, word text);
insert into shop.many
    select i, nullif(i % 7, 0), case when i % 3 = 0 then null else 'w' || i % 11 end
    from generate_series(1, 1000) i;
create table shop.traps (id integer, divisor integer, word text, number_text text, pattern text);
insert into shop.traps values
    (1, 1, 'a', '1', 'a'), (2, 2, 'b', '2.5', '^b$'), (3, 0, 'c', 'three', '('), (4, null, null, null, null);
create table shop.no_traps (id integer, divisor integer, word text, number_text text, pattern text);
insert into shop.no_traps values (1, 1, 'a', '1', 'a'), (2, 2, 'b', '2', '^b$');
create table shop.periods (low date, high date);
insert into shop.periods values
    ('2024-01-01', '2024-02-01'), ('2024-01-15', '2024-03-01'), ('2024-03-01', null);
create table shop.steps (n integer);
insert into shop.steps values (1), (2), (4), (5), (null);

-- Functions as users have them; some do what their look does not tell.
create function shop.twice(integer) returns setof integer language sql immutable
    as 'select $1 union all select $1';
create function shop.several(text) returns setof text language plpgsql stable
    as 'begin if $1 = ''paid'' then return next $1; return next $1; end if; end';
create aggregate shop.total(numeric) (sfunc = numeric_add, stype = numeric, initcond = '0');
create function shop.loud(integer) returns boolean language plpgsql volatile
    as 'begin if $1 = 3 then raise exception ''no threes''; end if; return $1 > 1; end';
create function shop.slow(integer) returns boolean language plpgsql volatile
    as 'begin if $1 = 3 then perform pg_sleep(30); end if; return false; end';
create function shop.count_calls(integer) returns boolean language plpgsql volatile
    as 'begin perform nextval(''made.numbers''); return $1 > 1; end';
create operator shop.=== (leftarg = integer, rightarg = integer, function = int4ne);
create table shop.flipping (a integer, b integer);
insert into shop.flipping select 1, null from generate_series(1, 50);

-- What `o.several` calls, for a row `o` of this table; and a name that a query may have as well.
create function shop.several(shop.orders) returns setof integer language sql
    as 'select generate_series(1, 3)';
create table shop.listed (id integer);

-- A condition that is dearer than what it keeps from breaking.
create table shop.divided (kind text, divisor integer);
insert into shop.divided values ('a', 1), ('z', 0);

create table shop.bits (u integer, flags integer);
insert into shop.bits values (1, 3), (4, 3), (2, 2), (0, 7), (8, 7);
