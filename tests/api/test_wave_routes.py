"""Waveform requests, alone and many at once."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from synthetic import big_vcd

from wasmjit.report.record import RunRecorder


@pytest.fixture(scope="module")
def run(api: Any) -> str:
    assert api.wait_waves(api.ids["sha_compile"])["state"] == "ready"
    return str(api.ids["sha_compile"])


def test_the_tree_and_the_list_of_signals(api: Any, run: str) -> None:
    tree = api.get(f"/api/runs/{run}/waves/tree").json()
    assert tree["scopes"][0] == ["tb", "module", -1] and len(tree["vars"]) == 42
    names = api.get(f"/api/runs/{run}/waves/signals", q="W_MEM1", limit=3).json()
    assert names["total"] == 6 and len(names["signals"]) == 3


def test_windows_values_edges_and_searches(api: Any, run: str) -> None:
    base = f"/api/runs/{run}/waves"
    signal = api.get(f"{base}/signals", q="dut.t_ctr_reg").json()["signals"][0]["signal"]
    body = api.get(f"{base}/window", t0=0, t1=400_000_000, px=500, s=f"{signal}", analog=f"{signal}").json()
    assert [row.get("analog", False) for row in body["rows"]] == [False, True] and body["rows"][0]["v"][:3] == ["0", "1", "10"]
    assert api.get(f"{base}/values", t=45_000_000, s=str(signal)).json()["values"] == {str(signal): "1"}
    assert api.get(f"{base}/edge", s=signal, t=0).json()["t"] == 30_000_000
    for text in ("0x5", "5", "0b101", "'b101", "101x"):
        found = api.get(f"{base}/find", s=signal, t=0, value=text).json()
        assert found["t"] == (None if text == "101x" else 80_000_000)
    assert "0xg" in api.get(f"{base}/find", s=signal, t=0, value="0xg").json()["hint"]
    assert sum(api.get(f"{base}/activity", px=50, s=str(signal)).json()["columns"]) > 100


def test_wrong_windows_and_signals_are_refused(api: Any, run: str) -> None:
    base = f"/api/runs/{run}/waves"
    assert api.get(f"{base}/window", t0=0, t1=5, s="1,x").status_code == 422
    assert api.get(f"{base}/window", t0=0, t1=5, s=",".join("1" for _ in range(500))).status_code == 422
    assert api.get(f"{base}/values", t=0, s="99999").status_code == 404
    assert api.get(f"/api/runs/{api.ids['failed']}/waves/tree").status_code == 404
    assert api.get(f"/api/runs/{api.ids['failed']}/waves").json()["state"] == "none"


def test_two_runs_are_compared_in_the_background(api: Any, run: str) -> None:
    other = api.ids["sha_interpret"]
    while (body := api.get(f"/api/compare/{other}/{run}").json())["state"] == "indexing":
        pass
    assert body["result"]["signals_compared"] == 42
    common = api.get(f"/api/compare/{other}/{run}/match").json()["common"]
    assert len(common) == 42
    assert api.get(f"/api/compare/{run}/{api.ids['failed']}").status_code == 404
    assert api.get(f"/api/compare/{run}/none").status_code == 404


def test_exports_of_a_selection(api: Any, run: str) -> None:
    base = f"/api/runs/{run}/export"
    assert api.get(f"{base}/waves", t0=0, t1=10**8, s="1,2").text.startswith("$")
    assert api.get(f"{base}/waves", t0=0, t1=10**8, s="1", form="fst").content[:1] == b"\x00"
    gtkw = api.get(f"{base}/gtkw", s="0,5", t=5).text
    assert "tb.clk" in gtkw and "tb.digest[255:0]" in gtkw and "[dumpfile]" in gtkw
    assert "variable_add tb.digest" in api.get(f"{base}/surfer", s="5").text
    assert api.get(f"{base}/dump").content == (api.runs / run / "waves.vcd").read_bytes()


def test_an_uploaded_waveform_is_a_run_and_a_broken_one_says_why(api: Any, tmp_path: Any) -> None:
    big_vcd(tmp_path / "x.vcd", 500)
    made = api.client.post("/api/uploads", params={"name": "x.vcd"}, content=(tmp_path / "x.vcd").read_bytes())
    assert made.status_code == 201 and api.wait_waves(made.json()["id"])["state"] == "ready"
    bad = api.client.post("/api/uploads", params={"name": "y.vcd"}, content=b"$scope nonsense").json()["id"]
    state = api.wait_waves(bad)
    assert state["state"] == "error" and state["message"]
    assert api.get(f"/api/runs/{bad}/waves/tree").status_code == 409
    assert api.client.post("/api/uploads", params={"name": "z.vcd"}, content=b"").status_code == 400
    bad_fst = api.client.post("/api/uploads", params={"name": "z.fst"}, content=b"\x00" + b"\xff" * 500).json()["id"]
    assert api.wait_waves(bad_fst)["state"] == "error"


def test_a_dump_that_grows_is_indexed_again(api: Any, tmp_path: Any) -> None:
    head = "$timescale 1 ns $end $scope module t $end $var wire 1 ! s $end $upscope $end $enddefinitions $end\n#0 0!\n"
    run = api.client.post("/api/uploads", params={"name": "g.vcd"}, content=head.encode()).json()["id"]
    api.wait_waves(run)
    assert api.get(f"/api/runs/{run}/waves/tree").json()["t_end"] == 0
    with (api.runs / run / "waves.vcd").open("a") as file:
        file.write("#7 1!\n")
    api.wait_waves(run)
    assert api.get(f"/api/runs/{run}/waves/tree").json()["t_end"] == 7_000_000


def test_fifty_clients_at_once_lose_no_request(api: Any, tmp_path: Any) -> None:
    big_vcd(tmp_path / "x.vcd", 100_000)
    run = api.client.post("/api/uploads", params={"name": "many.vcd"}, content=(tmp_path / "x.vcd").read_bytes()).json()["id"]
    assert api.wait_waves(run)["state"] == "ready"
    end = api.get(f"/api/runs/{run}/waves/tree").json()["t_end"]
    results: list[int] = []

    def client(n: int) -> None:
        for k in range(4):
            t0 = end * ((n * 7 + k * 13) % 90) // 100
            results.append(api.get(f"/api/runs/{run}/waves/window", t0=t0, t1=t0 + end // 10, px=800, s="0,1,2,40,41", analog="50").status_code)

    threads = [threading.Thread(target=client, args=(n,)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [200] * 200


def test_a_dump_that_grows_is_ready_and_stays_readable_while_its_run_goes_on(api: Any) -> None:
    record = RunRecorder(api.runs, design="grows.mlir", mode="compile")
    path = record.waves_path("vcd")
    base = f"/api/runs/{record.run_id}/waves"
    head = "$timescale 1 fs $end $var wire 1 ! a $end $enddefinitions $end\n#0\n0!\n"
    path.write_text(head)
    first = api.get(base).json()
    assert first["state"] == "indexing"
    state = first
    while state["state"] == "indexing":
        with path.open("a") as file:
            file.write("#1\n1!\n")
        state = api.get(base, signature=first["signature"]).json()
    assert state == {"ok": True, "state": "ready", "signature": first["signature"]}
    assert api.get(f"{base}/values", t=0, s="0").json()["values"] == {"0": "0"}
    with path.open("a") as file:
        file.write("#70\n0!\n")
    assert api.get(f"{base}/tree").status_code == 200, "what was indexed stays readable"
    record.finish({"exit_code": 0})
    assert api.wait_waves(record.run_id)["state"] == "ready"
    assert api.get(f"{base}/tree").json()["t_end"] == 70
    api.client.delete(f"/api/runs/{record.run_id}")
