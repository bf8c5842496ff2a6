"""What a run tells about itself: telemetry of the compiler, the JSON report, timelines, deopt governance, coverage export.

`telemetry` (records and counters), `reasons` (the one table of reasons), `json_report` (build and write), `perfetto` (timelines), `allow` and
`summary` (governance over many reports), `coverage` (export of functional coverage), `record` (run directories of the dashboard).
"""
