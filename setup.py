"""Where the packages lie: `wasmjit` under its own name, the dashboard's server in api/ and its page in webui/static/.

The installation also compiles what a run would otherwise compile at its start: the event kernel and the scanner of process bodies (`wasmjit/sched/kernelimage.py`), and in a checkout
(`pip install -e`) the Python byte code, which pip does for other installations.
"""

import compileall
import sys
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent


class Build(build_py):
    def run(self):
        super().run()
        if self.dry_run:
            return
        root = HERE if self.editable_mode else Path(self.build_lib).resolve()
        sys.path.insert(0, str(root))
        try:
            from wasmjit.sched import kernelimage

            for kit in kernelimage.KITS:
                kit.file.write_bytes(kernelimage.pack(kernelimage.build(kit)))
        finally:
            sys.path.remove(str(root))
        if self.editable_mode:
            for name in ("wasmjit", "api"):
                compileall.compile_dir(HERE / name, quiet=1)


api = [f"wasmjit_api.{name}" for name in find_packages("api")]

setup(
    packages=[*find_packages(include=["wasmjit", "wasmjit.*"]), "wasmjit_api", *api, "wasmjit_api.static"],
    package_dir={"wasmjit_api": "api", "wasmjit_api.static": "webui/static"},
    package_data={"wasmjit": ["py.typed", "**/*.tsv", "**/*.txt", "**/*.json"], "wasmjit_api.static": ["**/*"]},
    cmdclass={"build_py": Build},
)
