-- Named queries. Each says what it answers; {noun} stands for the SELECT that the schema map gives for that noun.

-- name: market_prices
-- Monthly median price in dollars of every market, oldest first.
SELECT d.market_id, m.market_name, d.date_recorded, d.value AS median_price
FROM {market_data} AS d
JOIN {markets} AS m ON m.id = d.market_id
WHERE d.data_type = 'median_price'
ORDER BY d.market_id, d.date_recorded

-- name: market_notes
-- Where each market's figures come from and what a reader must know of them.
SELECT m.id, m.market_name, m.avg_price, m.data_from, m.data_to, m.source, m.note
FROM {markets} AS m
ORDER BY m.market_name

-- name: table_sizes
-- Rows and bytes of the platform's tables as the statistics have them: no table is read. NULL rows: never analysed.
SELECT
    c.relname AS table_name,
    CASE WHEN pg_relation_size(c.oid) = 0 THEN 0 ELSE nullif(c.reltuples::bigint, -1) END AS estimated_rows,
    pg_total_relation_size(c.oid) AS size_bytes
FROM pg_class AS c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND c.relname = ANY($1::text[])
ORDER BY c.relname

-- name: recent_counts
-- What the last 30 days brought: leads made, interactions, listings; and the newest interaction.
SELECT
    (SELECT count(*) FROM {leads} AS l WHERE l.created_at > now() - interval '30 days') AS leads,
    (SELECT count(*) FROM {lead_interactions} AS i WHERE i.created_at > now() - interval '30 days') AS interactions,
    (SELECT count(*) FROM {properties} AS p WHERE p.listing_date > current_date - 30) AS properties,
    (SELECT max(i.created_at) FROM {lead_interactions} AS i) AS newest_interaction_at

-- name: platform_is_empty
-- Whether the platform has no market, so that sample data may be loaded.
SELECT NOT EXISTS (SELECT FROM markets) AS empty

-- name: record_start
-- Remember that a console started.
INSERT INTO console.starts (version, host, pid, environment) VALUES ($1, $2, $3, $4)

-- name: starts_count
-- How many times a console started on this store.
SELECT count(*) AS starts FROM console.starts

-- name: reach_milestone
-- Remember that something happened for the first time; later times change nothing.
INSERT INTO console.milestones (name, detail) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING

-- name: milestones
-- The first steps that were taken, and when.
SELECT name, detail, reached_at FROM console.milestones ORDER BY reached_at
