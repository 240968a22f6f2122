"""BALLAST_KERNELS=interpreted runs the suite on the kernels' sources, where they are compiled too.

=compiled runs what is installed, as ever, and a test then insists that it is the compiled form.
"""

import os

from bench.kernel_forms import force_interpreted

if os.environ.get("BALLAST_KERNELS") == "interpreted":
    force_interpreted()
