-- Singular tests, each below its name. They are dbt's templates.
--- plain
select * from shop.orders where amount < 0
--- unqualified
select * from orders where amount < 0
--- of_the_catalogue
select * from pg_class where relname = 'orders'
--- no_rows
select 1 where false
--- one_row
select 1
--- values
values (1), (2), (3)
--- table_command
table shop.orders
--- parentheses
(select id from shop.orders where id > 3)
--- doubled_parentheses
((select id from shop.orders where id > 3))
--- from_nothing
from shop.orders
--- upper_case
SELECT ID FROM SHOP.ORDERS WHERE ID > 3
--- no_blanks
select"id"from"shop"."orders"where"id">3
--- comments_around
-- before
/* and */ select id from shop.orders /* in */ where id > 3 -- after
--- comment_with_quote
select id from shop.orders -- it's
where id > 3
--- comment_with_where
select id from shop.orders -- where id > 3
--- comment_nested
select id /* a /* b */ where */ from shop.orders where id > 3
--- string_with_from
select 'x from y where z' from shop.orders where state <> ' where '
--- dollar_quotes
select $a$ from $b$ $a$ from shop.orders where state = $$paid$$
--- escape_string
select E'\' from x' from shop.orders where id > 3
--- unicode_name
select U&"\0069d" from shop.orders where U&"\0069d" > 3
--- semicolon
select id from shop.orders where id > 3;
--- semicolon_and_comment
select id from shop.orders where id > 3; -- done
--- two_statements
select 1; select 2
--- with_where
with o as (select * from shop.orders where id > 3) select * from o where amount > 1
--- with_shadow
with orders as (select * from shop.orders where id > 5) select * from orders where id > 1
--- with_shadow_of_source
with orders as (select 1 as id) select * from {{ source('shop', 'orders') }} where id > 3
--- with_later_name
with a as (select * from b), b as (select * from shop.orders) select * from a where id > 3
--- with_column_names
with o (a, b) as (select id, state from shop.orders) select * from o where a > 3
--- with_materialized
with o as materialized (select * from shop.orders) select * from o where id > 3
--- with_not_materialized
with o as not materialized (select * from shop.orders) select id from o where id > 3
--- with_recursive
with recursive r as (select 1 as n union all select n + 1 from r where n < 5) select * from r where n > 2
--- with_within
with a as (with b as (select * from shop.orders) select * from b) select * from a where id > 3
--- with_unused
with u as (select 1 / 0) select id from shop.orders where id > 3
--- with_unused_missing
with u as (select nope from shop.orders) select id from shop.orders where id > 3
--- with_twice
with o as (select * from shop.orders) select a.id from o a join o b on a.id = b.id where a.id > 3
--- with_limit
with o as (select * from shop.orders limit 2) select * from o where id > 0
--- with_order
with o as (select * from shop.orders order by id) select * from o where id > 3
--- with_distinct
with o as (select distinct state from shop.orders) select * from o where state > 'a'
--- with_renamed
with o as (select customer as id from shop.orders) select * from o where id > 3
--- with_star_and_more
with o as (select *, 1 as one from shop.orders) select * from o where one = 1
--- with_delete
with d as (delete from shop.fine where false returning id) select * from d
--- delete
delete from shop.fine where false returning id
--- join
select o.id from shop.orders o join shop.customers c on c.id = o.customer where c.country = 'NL'
--- comma_join
select o.id from shop.orders o, shop.customers c where c.id = o.customer
--- lateral
select o.id from shop.orders o, lateral unnest(o.tags) t where t = 'a'
--- left_join
select o.id from shop.orders o left join shop.customers c on c.id = o.customer where c.id is null
--- not_in_null
select id from shop.orders where customer not in (select id from shop.customers)
--- only
select id from only bound.elder where id > 0
--- with_star
select id from bound.elder * where id > 0
--- only_in_parentheses
select id from only (bound.elder) where id > 0
--- children_too
select id from bound.elder where id > 0
--- function_in_from
select * from generate_series(1, 3) g where g > 1
--- function_named_like_table
select * from shop.twice(3) orders where orders > 1
--- sampled
select id from shop.orders tablesample system (0) where id > 0
--- from_values
select * from (values (1, 'a'), (2, null)) v (n, w) where w is null
--- nested_subqueries
select * from (select * from (select * from shop.orders where id > 1) a where id > 2) b where id > 3
--- subquery_without_alias
select * from (select * from shop.orders) where id > 3
--- subquery_aliased_columns
select * from (select * from shop.orders) x (a, b) where a > 3
--- subquery_hides_column
select * from (select id from shop.orders) x where state = 'paid'
--- exists
select 1 where exists (select 1 from shop.orders where id > 3)
--- scalar_subquery
select (select count(*) from shop.orders) as n where 1 = 1
--- window
select id, rank() over (partition by state order by id) from shop.orders where id > 3
--- qualify_like
select * from (select id, row_number() over (partition by id) rn from shop.orders) x where rn > 1
--- intersect
select id from shop.orders intersect select id from shop.fine
--- except_all
select customer from shop.orders except all select id from shop.customers
--- having_alone
select count(*) from shop.orders having count(*) > 3
--- having_false
select count(*) from shop.orders having count(*) > 300
--- where_and_having
select max(id) from shop.orders where id > 3 having count(*) > 1
--- volatile
select id from shop.orders where random() < 2
--- counting_calls
select id from shop.orders where shop.loud(0) is not null and id > 3
--- is_json
select id from shop.orders where state is json
--- array_slice
select id from shop.orders where tags[1:2] = '{a,b}'
--- casts
select id from shop.orders where id::numeric(10, 2)::text = '1.00'
--- interval_words
select id from shop.orders where placed > timestamp '2024-01-01' + interval '1' day
--- at_time_zone
select id from shop.orders where placed at time zone 'UTC' > '2024-01-02'
--- jsonpath
select id from shop.orders where notes @? '$.gift ? (@ == true)'
--- question_marks
select id from shop.orders where notes ?| array['gift'] and notes ?& '{gift}'
--- percent
select id from shop.orders where id % 2 = 0 and state like '%a%' and state <> '%s'
--- braces
select id from shop.orders where state <> '{}' and id = any ('{1,2}')
--- colon
select id from shop.orders where (array[1,2,3])[2:3] = array[2,3]
--- keyword_columns
select "order" from "Odd.Schema"."select" where "order" > 1 and "User" = 'a'
--- keyword_alias
select "where".id from shop.orders "where" where "where".id > 3
--- group_with_alias
select state as s, count(*) from shop.orders group by s having count(*) > 1
--- group_by_position
select state, count(*) from shop.orders group by 1 having count(*) > 1
--- group_then_where
with g as (select id, count(*) as n from shop.orders group by id) select * from g where n > 1
--- group_all_columns
select id, state from shop.orders group by id, state having count(*) > 0
--- two_aggregates
select * from (select min(id) as lo, max(id) as hi from shop.orders) m where lo < 0 or hi > 5
--- aggregate_null
select * from (select max(id) as hi from shop.orders where false) m where hi is null
--- aggregate_no_alias
select * from (select max(id) from shop.orders) m where max > 3
--- aggregate_of_case
select * from (select sum(case when id > 3 then 1 else 0 end) n from shop.orders) m where n > 1
--- aggregate_named_count
select * from (select count(*) from shop.orders) m where count > 3
--- aggregate_over_join
select * from (select count(*) n from shop.orders o join shop.customers c on true) m where n > 1
--- aggregate_in_condition
select * from (select count(*) as n, max(id) as hi from shop.orders) m where n <> hi and hi::text = '6'
--- same_name_as_column
select id from shop.orders id where id.id > 3
--- system_columns
select ctid, xmin from shop.orders where tableoid = 'shop.orders'::regclass
--- system_columns_through_star
select * from (select * from shop.orders) o where ctid is not null
--- whole_row
select id from shop.orders where orders is not null
--- whole_row_of_subquery
select * from (select * from shop.orders) o where o is not null
--- row_as_text
select id from shop.orders where orders::text like '%paid%'
--- attribute_notation
select id from shop.orders where (orders).id > 3
--- function_notation
select id from shop.orders where id(orders) > 3
--- for_update
select id from shop.orders where id > 3 for update
--- limit_in_test
select id from shop.orders where id > 1 order by id limit 3
--- limit_null
select id from shop.orders where id > 1 limit null
--- duplicate_names
select id, id from shop.orders where id > 3
--- no_columns
select from shop.orders where id > 3
--- unnamed_columns
select 1, 1 from shop.orders where id > 3
--- jinja
{% for n in [1, 2] %}select {{ n }} as n{% if not loop.last %} union all {% endif %}{% endfor %}
--- ref_in_subquery
select * from (select * from {{ source('shop', 'orders') }}) where amount is null
--- set_of_rows
select shop.twice(id) from shop.orders where id = 1
--- json_table
select * from json_table('[1, 2]', '$[*]' columns (n int path '$')) t where n > 1
--- xmlish_operator
select id from shop.orders where id <@ int4range(2, 4)
--- collation
select id from shop.orders where state < 'a' collate "C"
--- sum_overflow
select * from (select sum(id::bigint * 9223372036854775807) s from shop.orders) x where s > 0
--- empty_columns
select * from made."no columns" where true
--- in_two_schemas
select name from twin.base where name is null
--- aggregate_of_the_row
select o.count from shop.orders o where o.id > 100
--- aggregate_of_some_rows
select o.count from shop.orders o where o.id > 3
--- aggregate_of_an_aggregate
select m.count from (select max(id) as hi from shop.orders) m where hi > 100
--- set_of_the_row
select o.several from shop.orders o where o.id > 3
--- column_of_the_row
select o.id, o.state from shop.orders o where o.id > 3
--- table_of_a_with
with listed as (select 1 as id) select id from shop.orders where id in (table listed)
--- user_as_measure
select * from (select count(*) as "user" from shop.orders) m where user is null
--- unicode_by_growing_together
select * from shop.bits o where u&o.flags > 0
--- null_as_a_name
select * from (select state as "null", count(*) as n from shop.orders group by state) x where "null" in ('paid', null)
