-- Constraints that hold, and those that only look so: each of these has rows that break it.
create schema bound;

create table bound.parents (key integer primary key, code text unique, lax integer);
insert into bound.parents values (1, 'a', 1), (2, 'b', 1), (3, null, null);

create table bound.held (
    id integer primary key,
    name text not null,
    code text unique,
    parent integer references bound.parents (key),
    parent_code text references bound.parents (code) deferrable initially deferred,
    amount integer check (amount > 0),
    kind text check (kind in ('x', 'y')),
    both_a integer,
    both_b integer,
    unique (both_a, both_b),
    constraint cross_check check (amount < 100 or name = 'big')
);
insert into bound.held values
    (1, 'one', 'a', 1, 'a', 1, 'x', 1, 1), (2, 'two', 'b', 2, 'b', 2, 'y', 1, 2),
    (3, 'three', null, null, null, null, null, 1, null), (4, '', null, 1, 'a', 7, 'x', 1, null);

-- NOT NULL and CHECK that no one has validated, or that are not enforced.
create table bound.unvalidated (id integer, name text, amount integer, parent integer, lazy integer);
insert into bound.unvalidated values
    (1, 'a', 5, 1, 1), (2, null, -1, 99, -1), (3, null, null, 98, null), (3, 'b', 200, null, 5);
alter table bound.unvalidated add constraint name_known not null name not valid;
alter table bound.unvalidated add constraint amount_small check (amount > 0) not valid;
alter table bound.unvalidated
    add constraint parent_known foreign key (parent) references bound.parents (key) not valid;
alter table bound.unvalidated add constraint lazy_positive check (lazy > 0) not enforced;
create table bound.unenforced (
    parent integer references bound.parents (key) not enforced,
    amount integer check (amount between 1 and 9) not enforced
);
insert into bound.unenforced values (99, 77), (1, 1), (null, null);

-- A foreign key whose triggers were off while rows came, and are off still.
create table bound.untriggered (parent integer references bound.parents (key));
alter table bound.untriggered disable trigger all;
insert into bound.untriggered values (1), (55), (56);

-- Unique indexes that say less than that a column is unique.
create table bound.indexed (
    partial integer, folded text, distinct_nulls integer, nulls_once integer, included integer,
    pair_a integer, pair_b integer, image tables.amount, hashed integer, later integer, cased citext
);
insert into bound.indexed values
    (1, 'a', null, null, 1, 1, 1, '(1.0)', 1, 1, 'x'),
    (1, 'A', null, 2, 2, 1, 2, '(1.00)', 1, 2, 'X'),
    (2, 'b', 1, 3, 3, 2, 1, '(2)', 2, 3, 'y'),
    (null, null, 2, 4, 4, null, null, null, null, null, null);
create unique index on bound.indexed (partial) where partial > 1;
create unique index on bound.indexed (folded);
create unique index on bound.indexed (distinct_nulls);
create unique index on bound.indexed (nulls_once) nulls not distinct;
create unique index on bound.indexed (included) include (pair_a);
create unique index on bound.indexed (pair_a, pair_b);
create unique index on bound.indexed (image record_image_ops);
create index on bound.indexed using hash (hashed);
create unique index on bound.indexed ((cased::text));
alter table bound.indexed add constraint later_unique unique (later) deferrable initially deferred;

-- An index whose making failed: it is there, and invalid.
create table bound.broken (id integer, name text);
insert into bound.broken values (1, 'a'), (1, 'a'), (2, null);
create unique index broken_id on bound.broken (id, name) where false;
create table bound.marked_invalid (id integer);
create unique index marked_invalid_id on bound.marked_invalid (id);
update pg_index set indisvalid = false, indisready = false, indislive = false
    where indexrelid = 'bound.marked_invalid_id'::regclass;
insert into bound.marked_invalid values (1), (1), (null);

-- A column of a composite type: NOT NULL, and yet `is null` where all its fields are.
create table bound.composite (id integer not null, pair tables.pair not null);
insert into bound.composite values (1, row(null, null)), (2, row(1, null)), (3, row(1, 'a'));

-- Keys of several columns, of which one alone is not bound.
create table bound.keys (a integer, b integer, primary key (a, b));
insert into bound.keys values (1, 1), (1, 2), (2, 1);
create table bound.keyed (
    a integer, b integer, c integer, foreign key (a, b) references bound.keys (a, b)
);
insert into bound.keyed values (1, 1, 1), (77, null, 2), (null, 88, 3), (2, 1, null);
create table bound.keyed_fully (
    a integer, b integer, foreign key (a, b) references bound.keys (a, b) match full
);
insert into bound.keyed_fully values (1, 2), (null, null), (2, 1);

-- Domains: what they say of their values, and of which nobody asked old rows.
create domain bound.known as integer not null;
create domain bound.later as integer;
create domain bound.even as integer check (value % 2 = 0);
create table bound.domains (id integer, always bound.known, late bound.later, twice bound.even);
insert into bound.domains values (1, 1, 5, 2), (2, 2, -5, 4), (3, 2, null, null);
alter domain bound.later add constraint later_positive check (value > 0) not valid;

-- Children of an inherited table: what binds the parent does not bind them.
create table bound.elder (
    id integer primary key,
    name text constraint elder_name not null no inherit,
    amount integer,
    parent integer references bound.parents (key),
    constraint elder_amount check (amount > 0) no inherit
);
create table bound.younger () inherits (bound.elder);
insert into bound.elder values (1, 'a', 1, 1), (2, 'b', 2, null);
insert into bound.younger values (1, null, -1, 99), (2, 'c', 5, 98), (3, null, null, null);

-- Partitions: keys of the whole, and keys of a part.
create table bound.parted (
    id integer not null, region text not null, amount integer, parent integer,
    primary key (id, region)
) partition by list (region);
create table bound.parted_a partition of bound.parted for values in ('a');
create table bound.parted_b partition of bound.parted for values in ('b');
create table bound.parted_rest partition of bound.parted default;
insert into bound.parted values
    (1, 'a', 1, 1), (2, 'a', null, 2), (1, 'b', -5, 9), (3, 'c', 6, null), (2, 'z', 1, 1);
create unique index on bound.parted_a (id);
alter table bound.parted_a add check (amount > 0);
alter table bound.parted_a add foreign key (parent) references bound.parents (key);
create unique index only_here on only bound.parted (region, amount);

-- A foreign key to a partitioned table, and one to a part of it.
create table bound.to_parted (
    id integer, region text, foreign key (id, region) references bound.parted (id, region)
);
insert into bound.to_parted values (1, 'a'), (3, 'c'), (null, 'q');

-- A function that changed its mind after the constraint was checked.
create function bound.fine(integer) returns boolean language sql immutable as 'select $1 > 0';
create table bound.changed (amount integer check (bound.fine(amount)));
insert into bound.changed values (1), (2), (3);
create or replace function bound.fine(integer) returns boolean language sql immutable
    as 'select $1 > 2';

-- Unlogged and temporary tables, and one whose statistics are false.
create unlogged table bound.unlogged (id integer primary key, name text not null);
insert into bound.unlogged values (1, 'a');
create table bound.unanalysed (id integer not null, name text);
insert into bound.unanalysed select i, null from generate_series(1, 50) i;
analyze bound.unanalysed;
insert into bound.unanalysed select i, 'x' from generate_series(1, 50) i;

-- A foreign key whose triggers were off while rows came; now they are on again, as if nothing was.
create table bound.retriggered (parent integer references bound.parents (key));
alter table bound.retriggered disable trigger all;
insert into bound.retriggered values (1), (55), (56);
alter table bound.retriggered enable trigger all;

-- A foreign key to a whole, of which no single part has all keys; the catalogue has it for each part.
create table bound.whole (id integer primary key) partition by range (id);
create table bound.whole_low partition of bound.whole for values from (0) to (10);
create table bound.whole_high partition of bound.whole for values from (10) to (20);
create table bound.to_whole (parent integer references bound.whole);
insert into bound.whole values (1), (11);
insert into bound.to_whole values (1), (11);

-- Keys that the constraint finds equal, and a join of the columns does not, or cannot compare.
create table bound.padded (code char(3) primary key);
create table bound.to_padded (code text references bound.padded);
insert into bound.padded values ('ab');
insert into bound.to_padded values ('ab'), ('ab ');
create table bound.collated (word text collate "C" primary key);
create table bound.to_collated (word text collate "POSIX" references bound.collated);
insert into bound.collated values ('a');
insert into bound.to_collated values ('a');
create table bound.wide (id bigint primary key);
create table bound.to_wide (parent integer references bound.wide);
insert into bound.wide values (1);
insert into bound.to_wide values (1), (null);

-- Columns whose names mean something else where they are not quoted.
create table bound.words ("user" text unique, "null" integer not null, "current_date" integer unique);
insert into bound.words values ('a', 1, 1), ('b', 2, 2);

-- Nothing stands twice; asked of half of it, chosen anew each time it is looked at.
create table bound.many (id integer);
insert into bound.many select generate_series(1, 1000);

-- A foreign key between types that compare as one; and one whose parent lost a row in a partition
-- whose triggers were off.
create table bound.texts (code text primary key);
create table bound.to_texts (code varchar(5) references bound.texts);
insert into bound.texts values ('a');
insert into bound.to_texts values ('a'), (null);
create table bound.emptied (id integer primary key) partition by range (id);
create table bound.emptied_low partition of bound.emptied for values from (0) to (10);
create table bound.to_emptied (parent integer references bound.emptied);
insert into bound.emptied values (1), (2);
insert into bound.to_emptied values (1), (2);
alter table bound.emptied_low disable trigger all;
delete from bound.emptied_low where id = 1;
