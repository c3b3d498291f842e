"""What all tests share."""

from hypothesis import HealthCheck, settings

# Shared machines are slow now and then: a case is judged by its outcome, never by its time.
settings.register_profile("veredito", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("veredito")
