"""The Redis tier: every command to Redis, and nothing but Redis."""

from core.cache.redis_tier.tier import Gain, RedisStats, RedisTier

__all__ = ["Gain", "RedisStats", "RedisTier"]
