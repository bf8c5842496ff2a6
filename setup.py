"""Where the packages lie: `wasmjit` under its own name, the dashboard's server in api/ and its page in webui/static/."""

from setuptools import find_packages, setup

api = [f"wasmjit_api.{name}" for name in find_packages("api")]

setup(
    packages=[*find_packages(include=["wasmjit", "wasmjit.*"]), "wasmjit_api", *api, "wasmjit_api.static"],
    package_dir={"wasmjit_api": "api", "wasmjit_api.static": "webui/static"},
    package_data={"wasmjit": ["py.typed", "**/*.tsv", "**/*.txt", "**/*.json"], "wasmjit_api.static": ["**/*"]},
)
