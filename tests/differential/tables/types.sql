create schema tables;
create extension if not exists citext;
create type tables.mood as enum ('sad', 'ok', 'happy');
create domain tables.positive as integer check (value > 0);
create type tables.pair as (number integer, word text);
create type tables.amount as (n numeric);
