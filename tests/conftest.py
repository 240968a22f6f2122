"""BALLAST_KERNELS=interpreted runs the suite on the kernels' sources, where they are compiled too.

=compiled runs what is installed, as ever, and a test then insists that it is the compiled form.
How long an example took says something about the machine, and a property is no word about that.
In CI Hypothesis loads its own profile, which says so too and draws the same examples at every run,
so that a change is judged by what it changed; everywhere else they are new ones each time.
"""

import os

from hypothesis import HealthCheck, settings

from bench.kernel_forms import force_interpreted

if settings.get_current_profile_name() != "ci":
    settings.register_profile(
        "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("any machine")

if os.environ.get("BALLAST_KERNELS") == "interpreted":
    force_interpreted()
