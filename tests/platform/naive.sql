-- The queries as one would first write them: they read far more, and the shipped ones must give the same rows.

-- name: lead_list
-- Aggregates every open lead before it takes the best.
SELECT l.id, l.score, l.last_interaction_at, l.status, l.market_id, count(i.id) AS interaction_count,
    coalesce(avg(CASE WHEN i.interaction_type = 'email_open' THEN 1 WHEN i.id IS NOT NULL THEN 0 END), 0)::float8 AS email_engagement
FROM {leads} AS l
LEFT JOIN {lead_interactions} AS i ON i.lead_id = l.id AND i.created_at > now() - interval '30 days'
WHERE ($4::text IS NULL OR l.market_id = $4) AND l.status = ANY($1::text[]) AND l.score >= $2
GROUP BY l.id, l.score, l.last_interaction_at, l.status, l.market_id
ORDER BY l.score DESC, l.last_interaction_at DESC NULLS LAST, l.id
LIMIT $3

-- name: property_search
-- One statement for every combination of filters.
SELECT p.id, p.price::float8 AS price
FROM {properties} AS p JOIN {markets} AS m ON m.id = p.market_id
WHERE p.status = 'active'
    AND ($2::text IS NULL OR p.market_id = $2) AND ($3::float8 IS NULL OR p.price >= $3::numeric)
    AND ($4::float8 IS NULL OR p.price <= $4::numeric) AND ($5::text IS NULL OR p.property_type = $5)
    AND ($6::int IS NULL OR p.bedrooms >= $6)
    AND ($7::text IS NULL OR to_tsvector('english', coalesce(p.description, '') || ' ' || coalesce(p.address, '') || ' '
        || coalesce(p.neighborhood, '')) @@ websearch_to_tsquery('english', $7))
ORDER BY p.price DESC, p.id
LIMIT $1

-- name: market_list
-- The latest figure of each kind by sorting all of them.
SELECT m.id, (
    SELECT jsonb_object_agg(d.data_type, jsonb_build_object('value', d.value, 'date', d.date_recorded))
    FROM (SELECT DISTINCT ON (x.data_type) x.* FROM {market_data} AS x WHERE x.market_id = m.id
        ORDER BY x.data_type, x.date_recorded DESC) AS d
) AS latest
FROM {markets} AS m
ORDER BY m.market_name, m.id
