"""Work queues: in this process, or in Redis for many."""
