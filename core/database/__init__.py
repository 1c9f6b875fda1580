"""The pooled PostgreSQL service: `pool.Database`, its named queries, the schema and the two migration histories."""
