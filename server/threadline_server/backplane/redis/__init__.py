"""The backplane of many nodes: one Redis, a primary behind Sentinels, or a Cluster."""

from threadline_server.backplane.redis.store import RedisBackplane

__all__ = ["RedisBackplane"]
