-- Named queries. Each says what it answers; {noun} stands for the SELECT that the schema map gives for that noun.

-- name: market_prices
-- Monthly median price in dollars of every market, oldest first.
-- replica
SELECT d.market_id, m.market_name, d.date_recorded, d.value AS median_price
FROM {market_data} AS d
JOIN {markets} AS m ON m.id = d.market_id
WHERE d.data_type = 'median_price'
ORDER BY d.market_id, d.date_recorded

-- name: market_notes
-- Where each market's figures come from and what a reader must know of them.
-- replica
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
-- replica
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
-- replica
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
-- replica
SELECT d.data_type, d.date_recorded AS date, d.value
FROM {market_data} AS d
WHERE d.market_id = $1
ORDER BY d.data_type, d.date_recorded

-- name: lead_list
-- The best leads by score, newest contact first, with what they did in the last 30 days. The N leads are chosen before any
-- interaction is read; never-contacted leads come last in their score, and the id breaks ties.
-- replica
WITH best AS (
    SELECT l.id, l.market_id, l.name, l.status, l.score, l.budget_range, l.property_type, l.property_preferences,
        l.assigned_agent_id, l.last_interaction_at, l.created_at, l.synthetic
    FROM {leads} AS l
    WHERE l.status = ANY($1::text[]) AND l.score >= $2 [filters]
    ORDER BY l.score DESC, l.last_interaction_at DESC NULLS LAST, l.id
    LIMIT $3
)
SELECT b.*, coalesce(c.interactions, 0) AS interaction_count, coalesce(c.opened::float8 / c.interactions, 0) AS email_engagement
FROM best AS b
LEFT JOIN (
    SELECT x.id, count(*) AS interactions, count(*) FILTER (WHERE i.interaction_type = 'email_open') AS opened
    FROM best AS x
    JOIN {lead_interactions} AS i ON i.lead_id = x.id AND i.created_at > now() - interval '30 days'
    GROUP BY x.id
) AS c ON c.id = b.id
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

-- name: lead_find
-- Leads with this text, in small letters, in their name or mail address: at most $2 of them, best first, among the $3 newest by id.
-- replica
SELECT n.*
FROM (
    SELECT l.id, l.market_id, l.name, l.email, l.status, l.score, l.budget_range, l.property_type, l.assigned_agent_id,
        l.last_interaction_at
    FROM {leads} AS l
    ORDER BY l.id DESC
    LIMIT $3
) AS n
WHERE strpos(lower(n.name), $1) > 0 OR strpos(lower(n.email), $1) > 0
ORDER BY n.score DESC NULLS LAST, n.id
LIMIT $2

-- name: leads_to_prepare
-- What the canonical form of open leads is made of, best leads first: no name and no text of a person.
WITH open AS (
    SELECT l.id, l.market_id, l.status, l.score, l.budget_range, l.property_type, l.last_interaction_at
    FROM {leads} AS l
    WHERE l.status = ANY ($1) [filters]
    ORDER BY l.score DESC, l.id
    LIMIT $2
)
SELECT o.id, o.market_id, o.status, o.budget_range, o.property_type,
    greatest(o.last_interaction_at, a.newest_at) AS last_interaction_at, coalesce(a.interactions, 0) AS interactions
FROM open AS o
LEFT JOIN (
    SELECT i.lead_id, max(i.created_at) AS newest_at, count(*) FILTER (WHERE i.created_at >= now() - interval '30 days') AS interactions
    FROM {lead_interactions} AS i
    WHERE i.lead_id IN (SELECT id FROM open)
    GROUP BY i.lead_id
) AS a ON a.lead_id = o.id
ORDER BY o.score DESC, o.id

-- name: leads_to_prepare.market
-- Only leads of one market.
l.market_id = $?

-- name: leads_to_prepare.min_score
-- Only leads of at least this score.
l.score >= $?

-- name: lead_interactions
-- The newest interactions of one lead.
SELECT i.id, i.interaction_type, i.details, i.created_at
FROM {lead_interactions} AS i
WHERE i.lead_id = $1
ORDER BY i.created_at DESC, i.id DESC
LIMIT $2

-- name: property
-- One listing with everything that is known of it.
SELECT p.id, p.market_id, m.market_name, p.address, p.neighborhood, p.description, p.property_type, p.status,
    p.price::float8 AS price, p.bedrooms, p.bathrooms::float8 AS bathrooms, p.square_feet, p.lot_square_feet, p.year_built,
    p.listing_date, p.synthetic
FROM {properties} AS p
JOIN {markets} AS m ON m.id = p.market_id
WHERE p.id = $1

-- name: property_search
-- Active listings, dearest first; the id breaks ties.
-- replica
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
-- Put a mark on the timeline; the same one within a minute is answered in its place, so that a hook may be sent twice.
WITH same AS (
    SELECT m.id, m.kind, m.text, m.marked_by, m.marked_at, m.link
    FROM console.marks AS m
    WHERE m.kind = $1 AND m.text = $2 AND m.marked_by = $3 AND m.link = $5
        AND m.marked_at BETWEEN $4::timestamptz - interval '1 minute' AND $4::timestamptz + interval '1 minute'
    ORDER BY m.id
    LIMIT 1
), made AS (
    INSERT INTO console.marks (kind, text, marked_by, marked_at, link)
    SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS (SELECT FROM same)
    RETURNING id, kind, text, marked_by, marked_at, link
)
SELECT made.*, true AS created FROM made
UNION ALL
SELECT same.*, false AS created FROM same

-- name: marks
-- The marks since a moment ($1) that came after an id ($2), newest first, $3 at most.
SELECT m.id, m.kind, m.text, m.marked_by, m.marked_at, m.link
FROM console.marks AS m
WHERE m.marked_at >= $1 AND m.id > $2
ORDER BY m.id DESC
LIMIT $3

-- name: marks_drop
-- Drop marks that are older than $1 days.
DELETE FROM console.marks WHERE marked_at < now() - make_interval(days => $1)

-- name: mark_operations
-- The operations of the kinds $1 that were there since $2: of the newest 5,000 those after an id ($3), and those in $4, which ran
-- at the last look. One that has said nothing for a minute is silent.
SELECT o.id, o.kind, o.title, o.operator, o.state, o.started_at, o.updated_at, o.finished_at,
    o.updated_at < now() - interval '1 minute' AS silent
FROM (SELECT * FROM console.operations WHERE id > $3 ORDER BY id DESC LIMIT 5000) AS o
WHERE o.kind = ANY($1::text[]) AND coalesce(o.finished_at, o.updated_at) >= $2
UNION ALL
SELECT k.id, k.kind, k.title, k.operator, k.state, k.started_at, k.updated_at, k.finished_at,
    k.updated_at < now() - interval '1 minute' AS silent
FROM console.operations AS k
WHERE k.id = ANY($4::bigint[]) AND k.id <= $3

-- name: operations
-- Operations, newest first.
SELECT o.id, o.kind, o.key, o.title, o.operator, o.parameters, o.commands, o.resumable, o.state, o.what, o.done, o.total,
    o.rate_per_second, o.started_at, o.updated_at, o.finished_at, o.cancelled_by, o.result, o.error, o.next_step, o.host, o.pid,
    o.pausable, o.paused_by
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
    o.rate_per_second, o.started_at, o.updated_at, o.finished_at, o.cancelled_by, o.result, o.error, o.next_step, o.host, o.pid,
    o.pausable, o.paused_by
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
INSERT INTO console.operations (kind, key, title, operator, parameters, commands, resumable, host, pid, pausable)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
RETURNING *

-- name: operation_progress
-- How far an operation is, said by the process that runs it, whatever others took it for; with $6 also who holds it ($7). Answers
-- who wants it to end, and who holds it.
UPDATE console.operations
SET state = 'running', what = $2, done = $3, total = $4, rate_per_second = $5, updated_at = now(),
    finished_at = NULL, error = '', next_step = '', paused_by = CASE WHEN $6 THEN $7 ELSE paused_by END
WHERE id = $1
RETURNING cancelled_by, paused_by

-- name: operation_finish
-- The outcome of an operation that was over $2 seconds ago, said by the process that ran it; it replaces what others took it for.
UPDATE console.operations
SET updated_at = now(), finished_at = greatest(started_at, now() - make_interval(secs => $2)),
    state = $3, what = $4, done = $5, total = $6, rate_per_second = $7, cancelled_by = $8, result = $9, error = $10, next_step = $11, paused_by = NULL
WHERE id = $1

-- name: operation_cancel
-- Ask the process that runs an operation to end it; the first who asks is remembered.
UPDATE console.operations SET cancelled_by = coalesce(cancelled_by, $2) WHERE id = $1 AND state = 'running'

-- name: operation_pause
-- Hold an operation, or let it go on where $2 is NULL; its process looks here.
UPDATE console.operations SET paused_by = $2 WHERE id = $1 AND state = 'running' AND pausable

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

-- name: property_search_filters
-- What one market's search form offers: active listings by type and by bedrooms, and their lowest and highest price.
WITH active AS (
    SELECT p.property_type, p.bedrooms, p.price::float8 AS price FROM {properties} AS p WHERE p.status = 'active' AND p.market_id = $1
)
SELECT m.id AS market_id, m.market_name, a.listings, a.min_price, a.max_price, coalesce(t.types, '{}'::jsonb) AS types,
    coalesce(b.bedrooms, '{}'::jsonb) AS bedrooms
FROM {markets} AS m
CROSS JOIN (SELECT count(*) AS listings, min(price) AS min_price, max(price) AS max_price FROM active) AS a
CROSS JOIN (
    SELECT jsonb_object_agg(g.property_type, g.listings) AS types
    FROM (SELECT property_type, count(*) AS listings FROM active GROUP BY property_type) AS g
) AS t
CROSS JOIN (
    SELECT jsonb_object_agg(g.bedrooms, g.listings) AS bedrooms
    FROM (SELECT bedrooms, count(*) AS listings FROM active WHERE bedrooms IS NOT NULL GROUP BY bedrooms) AS g
) AS b
WHERE m.id = $1

-- name: lead_scoring_model
-- What scoring needs of one market's own leads: the 25th, 50th, 75th and 90th percentiles of their budgets in dollars (the higher end
-- of the range) and of their interactions in 30 days, the mean of these, and the share of hot ones among the open ones.
WITH here AS (
    SELECT l.id, l.status, (
        SELECT max(p.part[1]::float8 * CASE p.part[2] WHEN 'm' THEN 1000000 WHEN 'k' THEN 1000 ELSE 1 END)
        FROM regexp_matches(lower(l.budget_range), '([0-9]{1,12}(?:\.[0-9]+)?)\s*([km]?)', 'g') AS p (part)
    ) AS budget
    FROM {leads} AS l
    WHERE l.market_id = $1
), active AS (
    SELECT i.lead_id, count(*) AS interactions
    FROM {lead_interactions} AS i
    WHERE i.lead_id IN (SELECT id FROM here) AND i.created_at > now() - interval '30 days'
    GROUP BY i.lead_id
), model AS (
    SELECT count(*) AS leads,
        percentile_cont(ARRAY[0.25, 0.5, 0.75, 0.9]) WITHIN GROUP (ORDER BY h.budget) AS budget_percentiles,
        percentile_cont(ARRAY[0.25, 0.5, 0.75, 0.9]) WITHIN GROUP (ORDER BY coalesce(a.interactions, 0)) AS interaction_percentiles,
        avg(coalesce(a.interactions, 0))::float8 AS mean_interactions,
        (count(*) FILTER (WHERE h.status = 'hot'))::float8
            / nullif(count(*) FILTER (WHERE h.status IN ('active', 'nurturing', 'hot')), 0) AS share_hot
    FROM here AS h
    LEFT JOIN active AS a ON a.lead_id = h.id
)
SELECT m.id AS market_id, m.market_name, model.* FROM {markets} AS m CROSS JOIN model WHERE m.id = $1

-- name: ai_answers
-- The newest stored answers to one prompt.
SELECT r.prompt_hash, r.prompt_name, r.model_version, r.response, r.source, r.created_at
FROM ai_responses AS r
WHERE r.prompt_hash = $1
ORDER BY r.created_at DESC, r.id DESC
LIMIT $2

-- name: index_list
-- Every index of the tables $1, and those of the names $2 wherever they are: definition, state, size, use, and the parts
-- that tell which of them do the same.
SELECT i.indexrelid::bigint AS oid, n.nspname::text AS schema_name, t.relname::text AS table_name, c.relname::text AS index_name,
    pg_get_indexdef(i.indexrelid) AS definition, m.amname::text AS method, i.indisvalid AS valid,
    c.relkind = 'I' AS partitioned, i.indisunique AS is_unique,
    EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')) AS of_constraint,
    i.indnkeyatts::int AS key_count,
    ARRAY(
        SELECT format('%s %s', pg_get_indexdef(i.indexrelid, k, false), CASE WHEN k <= i.indnkeyatts THEN format('%s %s %s',
            (i.indclass::oid[])[k - 1], (i.indcollation::oid[])[k - 1], (i.indoption::int2[])[k - 1]) END)
        FROM generate_series(1, i.indnatts) AS k
        ORDER BY k
    ) AS parts,
    coalesce(pg_get_expr(i.indpred, i.indrelid), '') AS predicate,
    pg_relation_size(i.indexrelid) AS size_bytes, coalesce(s.idx_scan, 0) AS scans,
    (to_jsonb(s) ->> 'last_idx_scan')::timestamptz AS last_scan_at
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_class AS t ON t.oid = i.indrelid
JOIN pg_namespace AS n ON n.oid = t.relnamespace
JOIN pg_am AS m ON m.oid = c.relam
LEFT JOIN pg_stat_all_indexes AS s ON s.indexrelid = i.indexrelid
WHERE n.nspname = ANY(current_schemas(false)) AND (t.relname = ANY($1::text[]) OR c.relname = ANY($2::text[]))
ORDER BY t.relname, c.relname

-- name: index_parts
-- An index of this session's own transaction as PostgreSQL writes it, and the columns that it reads.
SELECT pg_get_indexdef(i.indexrelid) AS definition, m.amname::text AS method,
    ARRAY(
        SELECT DISTINCT a.attname::text
        FROM pg_depend AS d
        JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE d.objid = i.indexrelid AND d.refobjid = i.indrelid AND d.refobjsubid > 0
    ) AS columns,
    i.indnkeyatts::int AS key_count,
    ARRAY(
        SELECT format('%s %s', pg_get_indexdef(i.indexrelid, k, false), CASE WHEN k <= i.indnkeyatts THEN format('%s %s %s',
            (i.indclass::oid[])[k - 1], (i.indcollation::oid[])[k - 1], (i.indoption::int2[])[k - 1]) END)
        FROM generate_series(1, i.indnatts) AS k
        ORDER BY k
    ) AS parts,
    coalesce(pg_get_expr(i.indpred, i.indrelid), '') AS predicate
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_am AS m ON m.oid = c.relam
WHERE c.relname = $1 AND (c.relnamespace = pg_my_temp_schema() OR c.relnamespace = current_schema()::regnamespace)

-- name: index_has_expressions
-- Whether an index is over an expression, of which PostgreSQL knows nothing before ANALYZE.
SELECT i.indexprs IS NOT NULL AS has_expressions FROM pg_index AS i WHERE i.indexrelid = to_regclass($1)

-- name: index_builds
-- The builds that run in this database: what, how far, who, and whom each waits for.
SELECT p.pid, p.index_relid::bigint AS index_oid, x.relname::text AS index_name, t.relname::text AS table_name, p.command, p.phase,
    p.lockers_total, p.lockers_done, p.blocks_total, p.blocks_done, p.tuples_total, p.tuples_done,
    a.application_name, a.usename::text AS user_name, host(a.client_addr) AS client, a.query_start AS started_at, a.query,
    pg_blocking_pids(p.pid) AS blocked_by
FROM pg_stat_progress_create_index AS p
JOIN pg_stat_activity AS a ON a.pid = p.pid
LEFT JOIN pg_class AS x ON x.oid = p.index_relid
LEFT JOIN pg_class AS t ON t.oid = p.relid
WHERE p.datname = current_database()

-- name: index_turn
-- Take the one turn to build or drop an index in this database, if nobody else has it. Asked again and again: a session that
-- waits in the statement itself holds a snapshot, for which the build would wait.
SELECT pg_try_advisory_lock(hashtextextended('console: one index at a time', 0)) AS taken

-- name: index_turn_holder
-- Who has the turn now.
SELECT a.pid, a.application_name, a.usename::text AS user_name, host(a.client_addr) AS client, a.state, a.query,
    extract(epoch FROM clock_timestamp() - coalesce(a.query_start, a.backend_start))::float8 AS seconds
FROM pg_locks AS l
JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
    AND (l.classid::int8 << 32) | l.objid::int8 = hashtextextended('console: one index at a time', 0)

-- name: index_waits
-- The sessions that keep others waiting: those of these process ids.
SELECT a.pid, a.application_name, a.usename::text AS user_name, a.backend_type, a.state, a.query,
    extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.query_start, a.backend_start))::float8 AS seconds
FROM pg_stat_activity AS a
WHERE a.pid = ANY($1::int[])

-- name: index_blocked_by
-- Whom a session waits for now.
SELECT pg_blocking_pids($1) AS pids

-- name: index_holders
-- Whom a build on the table $1 would wait for now: transactions with a lock that it needs, or with a snapshot older than $2 seconds.
SELECT a.pid, a.application_name, a.usename::text AS user_name, a.backend_type, a.state, a.query,
    extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.query_start))::float8 AS seconds,
    coalesce(max(l.mode) FILTER (WHERE l.mode = 'AccessExclusiveLock'),
        max(l.mode) FILTER (WHERE l.mode <> 'AccessShareLock' AND l.mode <> 'RowShareLock')) AS lock_mode,
    a.backend_xmin IS NOT NULL AS has_snapshot,
    bool_or(coalesce(l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock',
        'AccessExclusiveLock'), false)) AS keeps_from_starting
FROM pg_stat_activity AS a
LEFT JOIN pg_locks AS l ON l.pid = a.pid AND l.locktype = 'relation' AND l.granted AND l.relation = to_regclass($1)::oid
    AND l.database = a.datid
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
    AND a.backend_type NOT IN ('autovacuum worker', 'parallel worker', 'walsender')
GROUP BY a.pid, a.application_name, a.usename, a.backend_type, a.state, a.query, a.xact_start, a.query_start, a.backend_xmin
HAVING bool_or(coalesce(l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock',
        'AccessExclusiveLock'), false))
    OR ((a.backend_xmin IS NOT NULL OR bool_or(l.mode = 'RowExclusiveLock')) AND clock_timestamp() - a.xact_start > make_interval(secs => $2))
ORDER BY seconds DESC

-- name: index_prepared
-- Prepared transactions of this database: a build waits until each is committed or rolled back.
SELECT x.gid, x.owner::text AS user_name, extract(epoch FROM now() - x.prepared)::float8 AS seconds
FROM pg_prepared_xacts AS x
WHERE x.database = current_database()

-- name: index_table
-- What an index on the table $1 costs and may: rows, sizes, updates, rights, settings. No row where there is no such table.
SELECT c.relkind::text AS kind, c.relname::text AS table_name, greatest(c.reltuples, 0)::float8 AS rows,
    c.reltuples < 0 AS never_analysed, pg_relation_size(c.oid) AS table_bytes, coalesce(s.n_tup_upd, 0) AS updates,
    coalesce(s.n_tup_hot_upd, 0) AS hot_updates, pg_has_role(c.relowner, 'USAGE') AS owned, pg_is_in_recovery() AS in_recovery,
    current_setting('transaction_read_only')::bool AS read_only, current_setting('maintenance_work_mem') AS memory,
    pg_size_bytes(current_setting('maintenance_work_mem')) AS memory_bytes,
    ARRAY(
        SELECT DISTINCT a.attname::text
        FROM pg_index AS i
        JOIN pg_class AS x ON x.oid = i.indexrelid
        JOIN pg_am AS m ON m.oid = x.relam AND m.amname <> 'brin'
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND (a.attnum = ANY(i.indkey::int2[]) OR EXISTS (
            SELECT FROM pg_depend AS d WHERE d.objid = i.indexrelid AND d.refobjid = c.oid AND d.refobjsubid = a.attnum))
        WHERE i.indrelid = c.oid AND a.attnum > 0
    ) AS indexed_columns
FROM pg_class AS c
LEFT JOIN pg_stat_all_tables AS s ON s.relid = c.oid
WHERE c.oid = to_regclass($1)

-- name: index_widths
-- Bytes that each of the columns $2 of the table $1 takes in a row, by the statistics.
SELECT a.attname::text AS column_name, coalesce(nullif(a.attlen, -1)::float8, s.avg_width::float8, 32) AS width, t.typalign::text AS align
FROM pg_attribute AS a
JOIN pg_type AS t ON t.oid = a.atttypid
JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_stats AS s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
WHERE a.attrelid = to_regclass($1) AND a.attname = ANY($2::text[])

-- name: index_stamps
-- The revisions on record as present; the record belongs to Alembic.
SELECT v.version_num FROM platform_schema_version AS v

-- name: index_stamps_kept
-- Whether the platform's database keeps Alembic's record.
SELECT to_regclass('platform_schema_version') IS NOT NULL AS kept

-- name: server_limits
-- How many sessions PostgreSQL allows in all, keeps for others, and allows to this role and this database (-1: no own limit).
SELECT current_setting('max_connections')::int AS max_connections,
    current_setting('superuser_reserved_connections')::int
        + coalesce(current_setting('reserved_connections', true)::int, 0) AS reserved,
    coalesce((SELECT CASE WHEN r.rolsuper THEN -1 ELSE r.rolconnlimit END
        FROM pg_roles AS r WHERE r.rolname = session_user), -1) AS role_limit,
    coalesce((SELECT d.datconnlimit FROM pg_database AS d WHERE d.datname = current_database()), -1) AS database_limit,
    pg_backend_pid() AS backend_pid

-- name: wal_written
-- How far the primary has written its log, in bytes, and which system it is.
SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::int8 AS position, c.system_identifier FROM pg_control_system() AS c

-- name: wal_replayed
-- How far a standby has replayed the log, in bytes (NULL: it is no standby), and which system it is a copy of.
SELECT (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::int8 AS position, c.system_identifier FROM pg_control_system() AS c

-- name: warm_popular_markets
-- The markets with the most open leads among the newest 20,000 leads, at most $1; a ranking that reads no more of a large table.
SELECT m.id AS market, count(n.market_id) AS wanted
FROM {markets} AS m
LEFT JOIN (SELECT l.market_id, l.status FROM {leads} AS l ORDER BY l.id DESC LIMIT 20000) AS n
    ON n.market_id = m.id AND n.status IN ('active', 'hot', 'nurturing')
GROUP BY m.id
ORDER BY wanted DESC, m.id
LIMIT $1

-- name: warm_top_leads
-- The $1 best open leads of each market, at most 10,000 in all, best first: those that stand on top of its list.
SELECT r.id, r.market_id AS market, r.score AS wanted
FROM (
    SELECT l.id, l.market_id, l.score,
        row_number() OVER (
            PARTITION BY l.market_id ORDER BY l.score DESC, l.last_interaction_at DESC NULLS LAST, l.id
        ) AS place
    FROM {leads} AS l
    WHERE l.status IN ('active', 'hot', 'nurturing') AND l.score >= 50
) AS r
WHERE r.place <= $1
ORDER BY r.place, r.score DESC, r.id
LIMIT 10000

-- name: warm_property_searches
-- Markets and types of property by how many of the newest 20,000 leads that are open look for them; a market alone has type NULL.
SELECT n.market_id AS market, n.property_type, count(*) AS wanted
FROM (SELECT l.market_id, l.property_type, l.status FROM {leads} AS l ORDER BY l.id DESC LIMIT 20000) AS n
WHERE n.status IN ('active', 'hot', 'nurturing') AND n.property_type IS NOT NULL
GROUP BY GROUPING SETS ((n.market_id), (n.market_id, n.property_type))
ORDER BY wanted DESC, n.market_id, n.property_type
LIMIT $1

-- name: warm_ai_answers
-- The prompts that occur most among the newest 10,000 stored answers, at most $1.
SELECT n.prompt_hash AS hash, count(*) AS wanted
FROM (SELECT r.prompt_hash FROM ai_responses AS r ORDER BY r.id DESC LIMIT 10000) AS n
GROUP BY n.prompt_hash
ORDER BY wanted DESC, n.prompt_hash
LIMIT $1

-- name: sessions
-- The sessions of this database, and those of others that keep one of it waiting: what each does, and whom it waits for.
WITH here AS (
    SELECT a.*, CASE WHEN a.wait_event_type = 'Lock' THEN pg_blocking_pids(a.pid) ELSE '{}' END AS blocked_by
    FROM pg_stat_activity AS a
    WHERE a.datname = current_database()
), waits AS (
    SELECT l.pid, min(l.waitstart) AS since, min(CASE l.locktype
        WHEN 'relation' THEN format('%s of %s', l.mode, coalesce(c.relname::text, l.relation::text))
        WHEN 'transactionid' THEN 'the end of another transaction'
        ELSE format('%s of %s', l.mode, l.locktype) END) AS waits_for
    FROM pg_locks AS l
    LEFT JOIN pg_class AS c ON c.oid = l.relation AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
    WHERE NOT l.granted
    GROUP BY l.pid
)
SELECT a.pid, a.backend_type, a.usename::text AS user_name, a.application_name, host(a.client_addr) AS client, a.state,
    left(a.query, 2000) AS query, a.backend_start, a.query_start, a.blocked_by, w.waits_for,
    extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS transaction_seconds,
    extract(epoch FROM clock_timestamp() - a.state_change)::float8 AS state_seconds,
    CASE WHEN cardinality(a.blocked_by) > 0
        THEN extract(epoch FROM clock_timestamp() - coalesce(w.since, a.query_start))::float8 END AS waiting_seconds,
    concat_ws(': ', a.wait_event_type, a.wait_event) AS wait, a.pid = pg_backend_pid() AS own
FROM here AS a
LEFT JOIN waits AS w ON w.pid = a.pid
ORDER BY cardinality(a.blocked_by) DESC, a.xact_start IS NULL, a.xact_start, a.state, a.pid
LIMIT 500

-- name: session_rights
-- Whether this role sees what others' sessions do, and its name as SQL writes it.
SELECT quote_ident(current_user) AS user_name, pg_has_role('pg_read_all_stats', 'USAGE') AS may_read

-- name: cancel_session
-- End the statement of the client session $1 that began at $2, if it still runs the one that began at $3.
SELECT pg_cancel_backend(a.pid) AS cancelled
FROM pg_stat_activity AS a
WHERE a.pid = $1 AND a.backend_start = $2 AND a.query_start = $3 AND a.state = 'active' AND a.backend_type = 'client backend'
    AND a.pid <> pg_backend_pid()

-- name: server_statements_state
-- Whether pg_stat_statements is installed where this session looks, and whether this role sees what others asked.
SELECT to_regclass('pg_stat_statements') IS NOT NULL AS installed, pg_has_role('pg_read_all_stats', 'USAGE') AS may_read,
    quote_ident(current_user) AS user_name

-- name: server_statements_reset
-- When the statistics of pg_stat_statements were last reset, and how often it had no more room and forgot statements.
SELECT s.stats_reset, s.dealloc AS forgotten FROM pg_stat_statements_info AS s

-- name: server_now
-- When the server was started, whether it is a standby, and its connections with the most that there may be.
SELECT pg_postmaster_start_time() AS started_at, pg_is_in_recovery() AS standby, current_setting('max_connections')::int AS max_connections,
    (SELECT sum(d.numbackends) FROM pg_stat_database AS d)::int AS connections

-- name: server_counts
-- Calls and seconds of up to 5,000 statements of this database, with what server_now and server_statements_reset say, and the
-- statements that sessions of application $1, which look at the server for this console, ask now or asked last.
WITH counted AS (
    SELECT s.userid::bigint AS userid, s.queryid, s.toplevel, s.calls, s.total_exec_time / 1000 AS seconds
    FROM pg_stat_statements(false) AS s
    WHERE s.dbid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()) AND s.queryid IS NOT NULL
    ORDER BY s.total_exec_time DESC
    LIMIT 5000
)
SELECT pg_postmaster_start_time() AS started_at, pg_is_in_recovery() AS standby, current_setting('max_connections')::int AS max_connections,
    (SELECT sum(d.numbackends) FROM pg_stat_database AS d)::int AS connections, i.stats_reset, i.dealloc AS forgotten,
    ARRAY(SELECT a.query_id FROM pg_stat_activity AS a WHERE a.application_name = $1::text::name::text AND a.query_id IS NOT NULL) AS looks,
    c.userids, c.queryids, c.toplevels, c.calls, c.seconds
FROM pg_stat_statements_info AS i
CROSS JOIN (
    SELECT coalesce(array_agg(userid), '{}') AS userids, coalesce(array_agg(queryid), '{}') AS queryids, coalesce(array_agg(toplevel), '{}') AS toplevels,
        coalesce(array_agg(calls), '{}') AS calls, coalesce(array_agg(seconds), '{}') AS seconds
    FROM counted
) AS c

-- name: server_statement_text
-- The text of statement $1.
SELECT left(s.query, 500) AS query FROM pg_stat_statements AS s WHERE s.queryid = $1 LIMIT 1

-- name: server_statements
-- The 500 statements of this database that took most time since the statistics were reset.
SELECT s.userid::bigint AS userid, s.queryid, s.toplevel, left(s.query, 500) AS query, s.calls, s.total_exec_time / 1000 AS seconds, s.rows,
    s.shared_blks_hit AS hit, s.shared_blks_read AS read
FROM pg_stat_statements AS s
WHERE s.dbid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()) AND s.queryid IS NOT NULL
ORDER BY s.total_exec_time DESC
LIMIT 500

-- name: claude_budget_take
-- Lease from a budget of $4 dollars what an ask needs ($5) or more, up to $6: near the end no more than a quarter of what is left.
-- No row where less than $5 is left.
INSERT INTO console.claude_budget AS b (day, scope, operator, taken_usd, granted_usd)
SELECT $1, $2, $3, x.grant_usd, x.grant_usd
FROM (SELECT greatest($5::float8, least($6::float8, $4::float8 / 4)) AS grant_usd) AS x
WHERE $5 <= $4
ON CONFLICT (day, scope, operator) DO UPDATE
SET taken_usd = b.taken_usd + greatest($5, least($6, ($4 - b.taken_usd) / 4)),
    granted_usd = greatest($5, least($6, ($4 - b.taken_usd) / 4))
WHERE b.taken_usd + $5 <= $4
RETURNING b.granted_usd, b.taken_usd

-- name: claude_budget_give
-- Give back $4 dollars of a lease that were not spent; less than 0 adds what was spent beyond it.
UPDATE console.claude_budget SET taken_usd = greatest(0, taken_usd - $4)
WHERE day = $1 AND scope = $2 AND operator = $3
RETURNING taken_usd

-- name: claude_budget_taken
-- What of a budget is spent or leased, in dollars.
SELECT taken_usd FROM console.claude_budget WHERE day = $1 AND scope = $2 AND operator = $3

-- name: claude_budgets
-- Every budget of a day: what is spent or leased, in dollars; the total has no operator.
SELECT operator, taken_usd FROM console.claude_budget WHERE day = $1 AND scope = $2 ORDER BY operator

-- name: claude_attempts_add
-- Store attempts from a JSON array of objects; one that is there already stays as it is.
INSERT INTO console.claude_attempts (
    ask_key, attempt, repair, scope, started_at, prompt_name, prompt_version, request_hash, operator, lane, model, outcome, status,
    request_id, duration_seconds, first_token_seconds, input_tokens, cache_read_tokens, cache_write_5m_tokens,
    cache_write_1h_tokens, output_tokens, thinking_tokens, cost_usd)
SELECT a.ask_key, a.attempt, a.repair, a.scope, a.started_at, a.prompt_name, a.prompt_version, a.request_hash, a.operator, a.lane,
    a.model, a.outcome, a.status, a.request_id, a.duration_seconds, a.first_token_seconds, a.input_tokens, a.cache_read_tokens,
    a.cache_write_5m_tokens, a.cache_write_1h_tokens, a.output_tokens, a.thinking_tokens, a.cost_usd
FROM jsonb_populate_recordset(NULL::console.claude_attempts, $1::jsonb) AS a
ON CONFLICT (ask_key, attempt) DO NOTHING

-- name: claude_attempts_figures
-- Asks, attempts, tokens and dollars of one scope from $2 to before $3, by outcome, and by day (UTC), prompt, model and operator.
SELECT
    CASE WHEN grouping(x.day) = 0 THEN 'day' WHEN grouping(x.prompt_name) = 0 THEN 'prompt'
        WHEN grouping(x.model) = 0 THEN 'model' WHEN grouping(x.operator) = 0 THEN 'operator' ELSE 'total' END AS dimension,
    coalesce(x.day::text, x.prompt_name, x.model, x.operator, '') AS name, x.outcome,
    count(*) FILTER (WHERE x.attempt = 1 AND NOT x.repair) AS asks, count(*) AS attempts,
    count(*) FILTER (WHERE x.attempt = 1 AND x.repair) AS repairs,
    sum(x.input_tokens)::bigint AS input_tokens, sum(x.cache_read_tokens)::bigint AS cache_read_tokens,
    sum(x.cache_write_5m_tokens)::bigint AS cache_write_5m_tokens, sum(x.cache_write_1h_tokens)::bigint AS cache_write_1h_tokens,
    sum(x.output_tokens)::bigint AS output_tokens, sum(x.thinking_tokens)::bigint AS thinking_tokens,
    coalesce(sum(x.cost_usd), 0)::float8 AS cost_usd, count(*) FILTER (WHERE x.cost_usd IS NULL) AS unpriced
FROM (
    SELECT a.*, (a.started_at AT TIME ZONE 'UTC')::date AS day
    FROM console.claude_attempts AS a
    WHERE a.scope = $1 AND a.started_at >= $2 AND a.started_at < $3
) AS x
GROUP BY GROUPING SETS ((x.outcome), (x.day, x.outcome), (x.prompt_name, x.outcome), (x.model, x.outcome), (x.operator, x.outcome))
ORDER BY dimension, name, x.outcome

-- name: claude_expire
-- Delete up to 5,000 attempts older than $1 days, and the budgets of days as old.
WITH budgets AS (DELETE FROM console.claude_budget WHERE day < current_date - $1::int)
DELETE FROM console.claude_attempts
WHERE id IN (
    SELECT a.id FROM console.claude_attempts AS a WHERE a.started_at < now() - make_interval(days => $1) ORDER BY a.started_at LIMIT 5000
)

-- name: ai_responses_add
-- Store answers of the AI from a JSON array of objects.
INSERT INTO ai_responses (
    prompt_hash, prompt_name, model_version, response, input_tokens, output_tokens, cost_usd, duration_seconds, source, created_at)
SELECT r.prompt_hash, r.prompt_name, r.model_version, r.response, r.input_tokens, r.output_tokens, r.cost_usd, r.duration_seconds,
    r.source, r.created_at
FROM jsonb_populate_recordset(NULL::ai_responses, $1::jsonb) AS r

-- name: prompts
-- Every prompt with its newest version, by name; with $1 also those in the archive.
SELECT p.name, v.title, p.latest, p.in_use, v.author, v.note, v.created_at, p.archived_at, p.archived_by
FROM console.prompts AS p
JOIN console.prompt_versions AS v ON v.name = p.name AND v.version = p.latest
WHERE $1 OR p.archived_at IS NULL
ORDER BY p.name

-- name: prompt_versions
-- The versions of one prompt, newest first.
SELECT v.name, v.version, v.title, v.system, v.template, v.schema, v.model, v.max_tokens, v.effort, v.thinking, v.author, v.note, v.created_at
FROM console.prompt_versions AS v
WHERE v.name = $1
ORDER BY v.version DESC
LIMIT 500

-- name: prompt_version
-- One version of a prompt.
SELECT v.name, v.version, v.title, v.system, v.template, v.schema, v.model, v.max_tokens, v.effort, v.thinking, v.author, v.note, v.created_at
FROM console.prompt_versions AS v
WHERE v.name = $1 AND v.version = $2

-- name: prompt_in_use
-- The version of a prompt that answers.
SELECT v.name, v.version, v.title, v.system, v.template, v.schema, v.model, v.max_tokens, v.effort, v.thinking, v.author, v.note, v.created_at
FROM console.prompts AS p
JOIN console.prompt_versions AS v ON v.name = p.name AND v.version = p.in_use
WHERE p.name = $1

-- name: prompt_seed
-- Store a shipped text as a new version, unless it is the one that was stored last ($2 is its hash). It comes into use where a
-- shipped version was in use. No row where nothing is new.
WITH next AS (
    INSERT INTO console.prompts AS p (name, latest, in_use, shipped_hash) VALUES ($1, 1, 1, $2)
    ON CONFLICT (name) DO UPDATE
    SET latest = p.latest + 1, shipped_hash = $2, in_use = CASE
        WHEN EXISTS (SELECT FROM console.prompt_versions AS v WHERE v.name = p.name AND v.version = p.in_use AND v.author = 'shipped')
        THEN p.latest + 1 ELSE p.in_use END
    WHERE p.shipped_hash IS DISTINCT FROM $2
    RETURNING p.latest
)
INSERT INTO console.prompt_versions (
    name, version, title, system, template, schema, model, max_tokens, effort, thinking, author, note, based_on)
SELECT $1, n.latest, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, n.latest - 1 FROM next AS n
RETURNING name, version, title, system, template, schema, model, max_tokens, effort, thinking, author, note, created_at

-- name: prompt_save
-- Store an edit of version $2 as the next version, which is not in use yet; with 0 a new prompt, and no row where there is one.
WITH made AS (
    INSERT INTO console.prompts AS p (name, latest, in_use) SELECT $1, 1, 1 WHERE $2 = 0
    ON CONFLICT (name) DO NOTHING
    RETURNING p.latest
), next AS (
    UPDATE console.prompts AS p SET latest = p.latest + 1 WHERE p.name = $1 AND $2 > 0 RETURNING p.latest
)
INSERT INTO console.prompt_versions (
    name, version, title, system, template, schema, model, max_tokens, effort, thinking, author, note, based_on)
SELECT $1, n.latest, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $2
FROM (SELECT latest FROM made UNION ALL SELECT latest FROM next) AS n
RETURNING name, version, title, system, template, schema, model, max_tokens, effort, thinking, author, note, created_at

-- name: prompt_use
-- Let a version of a prompt answer.
UPDATE console.prompts SET in_use = $2 WHERE name = $1 AND $2 <= latest

-- name: prompt_archive
-- Put a prompt away for operator $2, or take it out again where that is NULL.
UPDATE console.prompts
SET archived_by = $2, archived_at = CASE WHEN $2::text IS NOT NULL THEN coalesce(archived_at, now()) END
WHERE name = $1

-- name: prompt_run_add
-- Store a run from a JSON object, once; returns its number, also when it was there already.
WITH stored AS (
    INSERT INTO console.prompt_runs (
        run_key, group_key, operator, prompt_name, prompt_version, lead_id, variables, settings, source,
        rehearsal, outcome, error, answer_text, answer_value, schema_valid, input_tokens, cache_read_tokens,
        cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, thinking_tokens, cost_usd, attempts, repairs,
        first_token_seconds, duration_seconds, note, created_at, draft)
    SELECT r.run_key, r.group_key, r.operator, r.prompt_name, nullif(r.prompt_version, 0), r.lead_id, r.variables, r.settings, r.source,
        r.rehearsal, r.outcome, r.error, r.answer_text, r.answer_value, r.schema_valid, r.input_tokens, r.cache_read_tokens,
        r.cache_write_5m_tokens, r.cache_write_1h_tokens, r.output_tokens, r.thinking_tokens, r.cost_usd, r.attempts, r.repairs,
        r.first_token_seconds, r.duration_seconds, r.note, r.created_at, r.draft
    FROM jsonb_populate_record(NULL::console.prompt_runs, $1::jsonb) AS r
    ON CONFLICT (run_key) DO NOTHING
    RETURNING id
)
SELECT id FROM stored
UNION ALL
SELECT p.id FROM console.prompt_runs AS p WHERE p.run_key = $1::jsonb ->> 'run_key'

-- name: prompt_run
-- One run of a prompt.
SELECT r.id, r.run_key, r.group_key, r.operator, r.prompt_name, coalesce(r.prompt_version, 0) AS prompt_version, r.lead_id, r.variables, r.settings, r.source,
    r.rehearsal, r.outcome, r.error, r.answer_text, r.answer_value, r.schema_valid, r.input_tokens, r.cache_read_tokens,
    r.cache_write_5m_tokens, r.cache_write_1h_tokens, r.output_tokens, r.thinking_tokens, r.cost_usd, r.attempts, r.repairs,
    r.first_token_seconds, r.duration_seconds, r.note, r.created_at, r.draft
FROM console.prompt_runs AS r
WHERE r.id = $1

-- name: prompt_run_note
-- Write a note beside a run.
UPDATE console.prompt_runs SET note = $2 WHERE id = $1

-- name: prompt_runs
-- Runs of prompts, newest first.
SELECT r.id, r.run_key, r.group_key, r.operator, r.prompt_name, coalesce(r.prompt_version, 0) AS prompt_version, r.lead_id, r.variables, r.settings, r.source,
    r.rehearsal, r.outcome, r.error, r.answer_text, r.answer_value, r.schema_valid, r.input_tokens, r.cache_read_tokens,
    r.cache_write_5m_tokens, r.cache_write_1h_tokens, r.output_tokens, r.thinking_tokens, r.cost_usd, r.attempts, r.repairs,
    r.first_token_seconds, r.duration_seconds, r.note, r.created_at, r.draft
FROM console.prompt_runs AS r
WHERE true [filters]
ORDER BY r.id DESC
LIMIT $1

-- name: prompt_runs.text
-- Only those with this text in answer, error, note or variables, whatever its case.
strpos(lower(concat_ws(chr(10), r.answer_text, r.error, r.note, r.variables::text)), lower($?)) > 0

-- name: prompt_runs.prompt
-- Only those of one prompt.
r.prompt_name = $?

-- name: prompt_runs.version
-- Only those of one version.
r.prompt_version = $?

-- name: prompt_runs.outcome
-- Only those that ended so.
r.outcome = $?

-- name: prompt_runs.operator
-- Only those of one operator.
r.operator = $?

-- name: prompt_runs.group_key
-- Only those that ran side by side.
r.group_key = $?

-- name: prompt_runs.lead_id
-- Only those on one lead.
r.lead_id = $?

-- name: prompt_runs.since
-- Only those at a moment or later.
r.created_at >= $?

-- name: prompt_runs.until
-- Only those before a moment.
r.created_at < $?

-- name: prompt_runs.before_id
-- Only those older than this one.
r.id < $?

-- name: prompt_runs_expire
-- Delete up to 1,000 runs that are older than $1 days, or not among the newest $2.
DELETE FROM console.prompt_runs
WHERE id IN (
    SELECT r.id
    FROM console.prompt_runs AS r
    WHERE r.created_at < now() - make_interval(days => $1)
        OR r.id <= (SELECT n.id FROM console.prompt_runs AS n ORDER BY n.id DESC OFFSET $2 LIMIT 1)
    ORDER BY r.id
    LIMIT 1000
)

-- name: history_add
-- Keep what a process measured, one row a slot; a row that is there already gives way to one with as many parts or more.
INSERT INTO console.metric_slots (grain_seconds, second, process, shift_seconds, parts, totals, labelled)
SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::integer[], $5::smallint[], $6::bytea[], $7::bytea[])
ON CONFLICT (grain_seconds, second, process, shift_seconds) DO UPDATE
SET parts = excluded.parts, totals = excluded.totals, labelled = coalesce(excluded.labelled, metric_slots.labelled)
WHERE excluded.parts >= metric_slots.parts

-- name: history_process
-- Who the rows of a process are from, and that it still writes.
INSERT INTO console.metric_processes (id, host, pid, role, started_at, last_second) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE SET last_second = excluded.last_second

-- name: history_processes
-- The processes that wrote at second $1 or later, the last to write first.
SELECT p.id, p.host, p.pid, p.role, p.started_at, p.last_second
FROM console.metric_processes AS p
WHERE p.last_second >= $1
ORDER BY p.last_second DESC, p.started_at DESC
LIMIT 50

-- name: history_processes_expire
-- Forget the processes that last wrote before second $1.
DELETE FROM console.metric_processes WHERE last_second < $1

-- name: history_arrived
-- The slots of ten seconds that began at second $1 or later, of all processes but $2, without those that are known: of each
-- process in $3 with shift $4 up to second $5.
SELECT m.second, m.process, m.shift_seconds, m.totals, m.labelled
FROM console.metric_slots AS m
LEFT JOIN unnest($3::bigint[], $4::integer[], $5::bigint[]) AS k (process, shift_seconds, second)
    ON k.process = m.process AND k.shift_seconds = m.shift_seconds
WHERE m.grain_seconds = 10 AND m.second >= $1 AND m.process <> $2 AND m.second > coalesce(k.second, 0)
ORDER BY m.second DESC
LIMIT 5000

-- name: history_slots
-- The slots of grain $1 that began in [$2, $3), oldest first; their labelled series only where $4 asks for them.
SELECT m.second, m.process, m.totals, CASE WHEN $4 THEN m.labelled END AS labelled
FROM console.metric_slots AS m
WHERE m.grain_seconds = $1 AND m.second >= $2 AND m.second < $3 [filters]
ORDER BY m.second

-- name: history_slots.process
-- Only those of one process.
m.process = $?

-- name: history_blobs
-- The slots of grain $1 that began in [$2, $3), oldest first: their labelled series where $4 asks for them, else the others.
SELECT m.second, m.process, CASE WHEN $4 THEN m.labelled ELSE m.totals END AS blob
FROM console.metric_slots AS m
WHERE m.grain_seconds = $1 AND m.second >= $2 AND m.second < $3
ORDER BY m.second

-- name: history_starts
-- When each console that wrote at second $1 or later was started, oldest first.
SELECT extract(epoch FROM p.started_at)::float8 AS second
FROM console.metric_processes AS p
WHERE p.last_second >= $1 AND p.role = 'console'
ORDER BY p.started_at

-- name: history_since
-- The second of the oldest slot of each of the grains.
SELECT min(oldest.second) AS second
FROM unnest(ARRAY[10, 60, 3600]::smallint[]) AS grain (seconds)
CROSS JOIN LATERAL (
    SELECT m.second
    FROM console.metric_slots AS m
    WHERE m.grain_seconds = grain.seconds
    ORDER BY m.second
    LIMIT 1
) AS oldest

-- name: history_unmerged
-- Slots of grain $2 that lack some of the slots of grain $1 which began in [$3, $4), oldest first.
WITH fine AS (
    SELECT m.process, m.shift_seconds, (m.second - m.shift_seconds) / $2 * $2 + m.shift_seconds AS second, count(*)::int AS parts
    FROM console.metric_slots AS m
    WHERE m.grain_seconds = $1::int AND m.second >= $3 AND m.second < $4
    GROUP BY 1, 2, 3
)
SELECT f.process, f.shift_seconds, f.second, f.parts
FROM fine AS f
LEFT JOIN console.metric_slots AS c
    ON c.grain_seconds = $2::int AND c.second = f.second AND c.process = f.process AND c.shift_seconds = f.shift_seconds
    AND c.second > $3 - $2::int AND c.second < $4
WHERE f.parts > coalesce(c.parts, 0)
ORDER BY f.second
LIMIT 100

-- name: history_parts
-- The slots of grain $1 of process $2, with shift $3, that began in [$4, $5).
SELECT m.second, m.totals, m.labelled
FROM console.metric_slots AS m
WHERE m.grain_seconds = $1 AND m.process = $2 AND m.shift_seconds = $3 AND m.second >= $4 AND m.second < $5
ORDER BY m.second

-- name: history_partitions
-- The partitions of the history, by grain, with the second in which they begin.
SELECT split_part(c.relname, '_', 3)::int AS grain_seconds, split_part(c.relname, '_', 4)::bigint AS second
FROM pg_inherits AS i
JOIN pg_class AS c ON c.oid = i.inhrelid
JOIN pg_class AS p ON p.oid = i.inhparent
WHERE p.relnamespace = 'console'::regnamespace AND p.relname ~ '^metric_slots_[0-9]+$'
ORDER BY 1, 2

-- name: alert_incidents
-- Every incident that goes on, and the $1 newest of the others.
(SELECT i.document FROM console.alert_incidents AS i WHERE i.resolved_at IS NULL)
UNION ALL
(SELECT i.document FROM console.alert_incidents AS i WHERE i.resolved_at IS NOT NULL ORDER BY i.opened_at DESC LIMIT $1)

-- name: alert_incident_put
-- Store the newest state of an incident.
INSERT INTO console.alert_incidents (key, opened_at, resolved_at, document) VALUES ($1, $2, $3, $4)
ON CONFLICT (key) DO UPDATE
SET opened_at = excluded.opened_at, resolved_at = excluded.resolved_at, document = excluded.document

-- name: alert_silences
-- Silences whose time is not over at $1.
SELECT document FROM console.alert_silences WHERE until > $1

-- name: alert_silence_put
-- Store the newest state of a silence.
INSERT INTO console.alert_silences (key, until, document) VALUES ($1, $2, $3)
ON CONFLICT (key) DO UPDATE SET until = excluded.until, document = excluded.document

-- name: alert_rules
-- The rules that an operator gave other numbers.
SELECT document FROM console.alert_rules

-- name: alert_rule_put
-- Store an operator's numbers of a rule.
INSERT INTO console.alert_rules (rule, document) VALUES ($1, $2)
ON CONFLICT (rule) DO UPDATE SET document = excluded.document

-- name: alert_incidents_expire
-- Forget the incidents that were over before $1; says how many.
WITH gone AS (DELETE FROM console.alert_incidents WHERE resolved_at < $1 RETURNING 1)
SELECT count(*) FROM gone

-- name: alert_silences_expire
-- Forget the silences that ended before $1; says how many.
WITH gone AS (DELETE FROM console.alert_silences WHERE until < $1 RETURNING 1)
SELECT count(*) FROM gone

-- name: alert_rules_expire
-- Forget that a rule has its shipped numbers again since before second $1; says how many.
WITH gone AS (
    DELETE FROM console.alert_rules
    WHERE document -> 'values' = '{}'::jsonb AND (document ->> 'at')::float8 < $1
    RETURNING 1
)
SELECT count(*) FROM gone

-- name: remedies
-- Which remedies run by themselves, where an operator has said so.
SELECT document FROM console.remedies

-- name: remedy_put
-- Store an operator's word on whether a remedy runs by itself.
INSERT INTO console.remedies (remedy, document) VALUES ($1, $2)
ON CONFLICT (remedy) DO UPDATE SET document = excluded.document

-- name: end_idle_session
-- End the client session $1 that began at $2, with its transaction, if it has still been idle in it for $3 seconds.
SELECT pg_terminate_backend(a.pid) AS ended
FROM pg_stat_activity AS a
WHERE a.pid = $1 AND a.backend_start = $2 AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
    AND a.state IN ('idle in transaction', 'idle in transaction (aborted)')
    AND clock_timestamp() - a.state_change >= make_interval(secs => $3)
