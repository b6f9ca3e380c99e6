"""The REST API: FastAPI and nothing else."""
