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

-- name: market_list
-- Every market with its latest figure of each kind.
SELECT m.id, m.market_name AS name, m.state, m.avg_price::float8 AS avg_price, m.data_from, m.data_to, m.note,
    coalesce(f.latest, '{}'::jsonb) AS latest
FROM {markets} AS m
CROSS JOIN LATERAL (
    SELECT jsonb_object_agg(t.data_type, jsonb_build_object('value', d.value, 'date', d.date_recorded)) AS latest
    FROM unnest(ARRAY['sales', 'volume', 'median_price', 'listings', 'inventory_months']) AS t (data_type)
    CROSS JOIN LATERAL (
        SELECT x.value, x.date_recorded
        FROM {market_data} AS x
        WHERE x.market_id = m.id AND x.data_type = t.data_type
        ORDER BY x.date_recorded DESC
        LIMIT 1
    ) AS d
) AS f
WHERE true [filters]
ORDER BY m.market_name, m.id

-- name: market_list.market
-- Only the market with this slug.
m.id = $?

-- name: market_series
-- The monthly figures of one market, oldest first.
SELECT d.data_type, d.date_recorded AS date, d.value
FROM {market_data} AS d
WHERE d.market_id = $1
ORDER BY d.data_type, d.date_recorded

-- name: lead_list
-- The best leads by score, newest contact first, with what they did in the last 30 days. The N leads are chosen before any
-- interaction is read; never-contacted leads come last in their score, and the id breaks ties.
WITH best AS (
    SELECT l.id, l.market_id, l.name, l.status, l.score, l.budget_range, l.property_type, l.property_preferences,
        l.assigned_agent_id, l.last_interaction_at, l.created_at, l.synthetic
    FROM {leads} AS l
    WHERE l.status = ANY($1::text[]) AND l.score >= $2 [filters]
    ORDER BY l.score DESC, l.last_interaction_at DESC NULLS LAST, l.id
    LIMIT $3
)
SELECT b.*, coalesce(c.interaction_count, 0) AS interaction_count, coalesce(c.email_engagement, 0)::float8 AS email_engagement
FROM best AS b
LEFT JOIN (
    SELECT i.lead_id, count(*) AS interaction_count,
        avg(CASE WHEN i.interaction_type = 'email_open' THEN 1 ELSE 0 END) AS email_engagement
    FROM {lead_interactions} AS i
    WHERE i.lead_id IN (SELECT id FROM best) AND i.created_at > now() - interval '30 days'
    GROUP BY i.lead_id
) AS c ON c.lead_id = b.id
ORDER BY b.score DESC, b.last_interaction_at DESC NULLS LAST, b.id

-- name: lead_list.market
-- Only leads of one market.
l.market_id = $?

-- name: lead
-- One lead with everything that is known of it.
SELECT l.id, l.market_id, l.external_id, l.name, l.email, l.phone, l.status, l.score, l.budget_range, l.property_type,
    l.property_preferences, l.search_history, l.notes, l.source, l.assigned_agent_id, l.last_interaction_at, l.synthetic,
    l.created_at, l.updated_at
FROM {leads} AS l
WHERE l.id = $1

-- name: lead_interactions
-- The newest interactions of one lead.
SELECT i.id, i.interaction_type, i.details, i.created_at
FROM {lead_interactions} AS i
WHERE i.lead_id = $1
ORDER BY i.created_at DESC, i.id DESC
LIMIT $2

-- name: property_search
-- Active listings, dearest first; the id breaks ties.
SELECT p.id, p.market_id, m.market_name, m.avg_price::float8 AS market_avg_price, p.address, p.neighborhood, p.description,
    p.image_urls, p.property_type, p.price::float8 AS price, p.bedrooms, p.bathrooms::float8 AS bathrooms, p.square_feet,
    p.year_built, p.latitude, p.longitude, p.listing_date, p.synthetic
FROM {properties} AS p
JOIN {markets} AS m ON m.id = p.market_id
WHERE p.status = 'active' [filters]
ORDER BY p.price DESC, p.id
LIMIT $1

-- name: property_search.market
-- Only listings of one market.
p.market_id = $?

-- name: property_search.min_price
-- At this price in dollars or more.
p.price >= $?::float8::numeric

-- name: property_search.max_price
-- At this price in dollars or less.
p.price <= $?::float8::numeric

-- name: property_search.property_type
-- Only one type.
p.property_type = $?

-- name: property_search.min_bedrooms
-- With this many bedrooms or more.
p.bedrooms >= $?

-- name: property_search.q
-- Whose description, address or neighborhood has these words, as a web search writes them.
to_tsvector('english', coalesce(p.description, '') || ' ' || coalesce(p.address, '') || ' ' || coalesce(p.neighborhood, ''))
    @@ websearch_to_tsquery('english', $?)

-- name: add_interactions
-- Store interactions from a JSON array of objects; those of an unknown lead are left out. Returns the positions that were stored.
WITH given AS (
    SELECT e.position, e.lead_id, e.interaction_type, coalesce(e.details, '{}'::jsonb) AS details, coalesce(e.occurred_at, now()) AS at
    FROM jsonb_to_recordset($1::jsonb)
        AS e (position int, lead_id bigint, interaction_type text, details jsonb, occurred_at timestamptz)
    JOIN leads AS l ON l.id = e.lead_id
), stored AS (
    INSERT INTO lead_interactions (lead_id, interaction_type, details, created_at)
    SELECT lead_id, interaction_type, details, at FROM given
), contacted AS (
    UPDATE leads AS l
    SET last_interaction_at = greatest(l.last_interaction_at, g.at), updated_at = now()
    FROM (SELECT lead_id, max(at) AS at FROM given GROUP BY lead_id) AS g
    WHERE l.id = g.lead_id
)
SELECT position FROM given

-- name: add_analytics_events
-- Store analytics events from a JSON array of objects; those of an unknown market are left out. Returns the positions stored.
WITH given AS (
    SELECT e.position, e.event_type, e.market, e.user_id, coalesce(e.properties, '{}'::jsonb) AS properties,
        coalesce(e.occurred_at, now()) AS at
    FROM jsonb_to_recordset($1::jsonb)
        AS e (position int, event_type text, market text, user_id text, properties jsonb, occurred_at timestamptz)
    WHERE e.market IS NULL OR e.market IN (SELECT id FROM markets)
), stored AS (
    INSERT INTO analytics_events (event_type, market_id, user_id, properties, created_at)
    SELECT event_type, market, user_id, properties, at FROM given
)
SELECT position FROM given

-- name: add_mark
-- Put a mark on the timeline.
INSERT INTO console.marks (kind, text, marked_by, marked_at) VALUES ($1, $2, $3, coalesce($4::timestamptz, now()))
RETURNING id, kind, text, marked_by, marked_at

-- name: marks
-- The marks since a moment, oldest first.
SELECT id, kind, text, marked_by, marked_at FROM console.marks WHERE marked_at >= $1 ORDER BY marked_at, id LIMIT 1000

-- name: operations
-- Operations, newest first.
SELECT o.id, o.kind, o.key, o.title, o.operator, o.parameters, o.commands, o.resumable, o.state, o.what, o.done, o.total,
    o.rate_per_second, o.started_at, o.updated_at, o.finished_at, o.cancelled_by, o.result, o.error, o.next_step, o.host, o.pid
FROM console.operations AS o
WHERE true [filters]
ORDER BY o.id DESC
LIMIT $1

-- name: operations.kind
-- Only one kind.
o.kind = $?

-- name: operations.state
-- Only those in one state.
o.state = $?

-- name: operations.operator
-- Only those that one operator started.
o.operator = $?

-- name: operations.before_id
-- Only those older than this one.
o.id < $?

-- name: operation
-- One operation.
SELECT o.id, o.kind, o.key, o.title, o.operator, o.parameters, o.commands, o.resumable, o.state, o.what, o.done, o.total,
    o.rate_per_second, o.started_at, o.updated_at, o.finished_at, o.cancelled_by, o.result, o.error, o.next_step, o.host, o.pid
FROM console.operations AS o
WHERE o.id = $1

-- name: operation_choices
-- The kinds and operators of the last thousand operations.
SELECT coalesce(array_agg(DISTINCT o.kind), '{}') AS kinds, coalesce(array_agg(DISTINCT o.operator), '{}') AS operators
FROM (SELECT kind, operator FROM console.operations ORDER BY id DESC LIMIT 1000) AS o

-- name: operation_of_key
-- The operation that runs under a key, and whether some session holds the key's lock.
SELECT o.*, EXISTS (
    SELECT
    FROM pg_locks AS l
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
        AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
        AND (l.classid::int8 << 32) | l.objid::int8 = hashtextextended(o.key, 0)
) AS held
FROM console.operations AS o
WHERE o.key = $1 AND o.state = 'running'

-- name: operation_start
-- Remember that an operation starts; the caller holds the lock of its key.
INSERT INTO console.operations (kind, key, title, operator, parameters, commands, resumable, host, pid)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
RETURNING *

-- name: operation_progress
-- How far an operation is, said by the process that runs it, whatever others took it for; answers who wants it to end.
UPDATE console.operations
SET state = 'running', what = $2, done = $3, total = $4, rate_per_second = $5, updated_at = now(),
    finished_at = NULL, error = '', next_step = ''
WHERE id = $1
RETURNING cancelled_by

-- name: operation_finish
-- The outcome of an operation that was over $2 seconds ago, said by the process that ran it; it replaces what others took it for.
UPDATE console.operations
SET updated_at = now(), finished_at = greatest(started_at, now() - make_interval(secs => $2)),
    state = $3, what = $4, done = $5, total = $6, rate_per_second = $7, cancelled_by = $8, result = $9, error = $10, next_step = $11
WHERE id = $1

-- name: operation_cancel
-- Ask the process that runs an operation to end it; the first who asks is remembered.
UPDATE console.operations SET cancelled_by = coalesce(cancelled_by, $2) WHERE id = $1 AND state = 'running'

-- name: operations_sweep
-- Mark as interrupted what is said to run while no session holds the lock of its key. An owner whose connection broke takes the
-- lock again within seconds, and so do all after a restart of the server: nobody is judged before $1 seconds without a word.
WITH held AS MATERIALIZED (
    SELECT (l.classid::int8 << 32) | l.objid::int8 AS key
    FROM pg_locks AS l
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
        AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
)
UPDATE console.operations AS o
SET state = 'interrupted', finished_at = o.updated_at,
    error = format('The process that ran it (%s on %s) is gone.', o.pid, o.host),
    next_step = CASE WHEN o.resumable THEN 'Start it again: it goes on where it stopped.' ELSE 'Start it again.' END
WHERE o.state = 'running'
    AND o.updated_at < now() - make_interval(secs => $1) AND pg_postmaster_start_time() < now() - make_interval(secs => $1)
    AND hashtextextended(o.key, 0) NOT IN (SELECT h.key FROM held AS h)

-- name: operation_lock
-- Take the lock of an operation's key for this session, if nobody else has it.
SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS taken

-- name: operation_unlock
-- Release the lock of an operation's key.
SELECT pg_advisory_unlock(hashtextextended($1, 0)) AS released

-- name: own_backend
-- Which server process this connection talks to.
SELECT a.pid, a.backend_start FROM pg_stat_activity AS a WHERE a.pid = pg_backend_pid()

-- name: end_backend
-- End a server process that still serves a connection which we have given up; nothing when it has gone.
SELECT pg_terminate_backend(a.pid) AS ended FROM pg_stat_activity AS a WHERE a.pid = $1 AND a.backend_start = $2

-- name: newest_rows
-- The newest date in each table that imports and generation add to; reads the tables.
SELECT
    (SELECT max(p.listing_date) FROM {properties} AS p) AS properties,
    (SELECT max(l.created_at) FROM {leads} AS l) AS leads,
    (SELECT max(i.created_at) FROM {lead_interactions} AS i) AS lead_interactions,
    (SELECT max(d.date_recorded) FROM {market_data} AS d) AS market_data

-- name: market_names
-- Every market with its slug, name and state.
SELECT m.id, m.market_name, m.state
FROM {markets} AS m
ORDER BY m.market_name
