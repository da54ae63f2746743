-- One shape of table, clean, dirty, empty and of NULLs, for rules of every type.
create schema ruled;
create table ruled.parents (key integer, code text);
insert into ruled.parents values (1, 'x'), (2, 'y'), (null, null);
create table ruled.dirty (
    id integer, name text, low integer, high numeric, seen timestamptz, kind text, other integer,
    flag boolean, "Odd ""name""" text, day date, doc jsonb
);
create table ruled.clean (like ruled.dirty);
create table ruled.empty (like ruled.dirty);
create table ruled.nulls (like ruled.dirty);
insert into ruled.clean values
    (1, 'ab', 1, 1.5, now(), 'x', 1, true, 'a', '2026-01-01', '{"a": 1, "b": null}'),
    (2, 'cd', 2, 3, now() - interval '2 hours', 'y', 1, true, 'b', '2026-01-02', '{"a": "x"}'),
    (3, 'ef', 3, 4, now(), 'x', 2, false, 'c', '2026-01-03', '{"a": {}, "c": []}');
insert into ruled.dirty values
    (1, '  ', 1, 1, now() - interval '9 days', 'x', 1, true, 'a', '2026-01-01', '{"a": 1}'),
    (1, '', 50, 2, null, 'z', 1, null, 'a', '2026-01-04', '{"b": 1}'),
    (2, 'abcde', null, 3, null, 'z', 7, false, null, '2026-01-01', '"a"'),
    (2, 'cd', -5, null, null, 'w', 7, false, 'it''s', null, '["a"]'),
    (2, 'back\slash', 3, 'NaN', 'infinity', 'w', 9, true, '%s', 'infinity', 'null'),
    (null, null, 9, 9, null, null, null, null, null, null, null);
insert into ruled.nulls select from generate_series(1, 3);
-- The same rows under constraints, as a view, in partitions.
create table ruled.bound (
    id integer primary key, name text not null check (name <> ''), low integer check (low > 0),
    high numeric unique, seen timestamptz not null, kind text check (kind in ('x', 'y')),
    other integer, flag boolean not null, "Odd ""name""" text unique, day date, doc jsonb,
    check (high > low)
);
insert into ruled.bound select * from ruled.clean;
alter table ruled.parents add constraint one_each unique (key);
alter table ruled.bound add foreign key (other) references ruled.parents (key);
create view ruled.seen_through as select * from ruled.dirty;
create table ruled.parted (like ruled.dirty) partition by list (kind);
create table ruled.parted_x partition of ruled.parted for values in ('x');
create table ruled.parted_rest partition of ruled.parted default;
insert into ruled.parted select * from ruled.dirty;
alter table ruled.parted_x add primary key (id);

-- Types whose length or precision stands at their end, within, or is not written.
create table ruled.spelled (
    whole numeric(10), rounded numeric(10, -2), bare numeric, at timestamp(3), at_zone timestamptz(3),
    clock time(3), clock_zone timetz(3), word varchar(10), words varchar(10)[], code char(5),
    lasted interval(3), bits bit(3)
);
-- Names that a query might have for the row itself.
create table ruled.shadowed (
    id integer, each_row integer, whole_rows integer, sx_row integer, whole_row integer
);
insert into ruled.shadowed values (1, 1, 1, 1, 1), (2, 1, 1, 1, 1), (3, 1, 2, 1, 1);
-- Whole numbers of more digits than a float has.
create table ruled.summed (id integer, half bigint, rest bigint, total bigint);
insert into ruled.summed values
    (1, 4503599627370496, 4503599627370497, 0), (2, 0, 0, 9007199254740993);
