from dataclasses import replace
from datetime import timedelta

import pytest

from copytrade_core.model.errors import PromotionRefused
from copytrade_core.promotion.chain import CheckEvaluation, Materialisation, Permit, Refusal, StoredEvidence, decide
from copytrade_core.promotion.contract import Step
from copytrade_core.promotion.evidence_digest import Lineage, evidence_digest
from copytrade_core.promotion.gate_result import Gate
from copytrade_core.promotion.gates import evaluate

LEAD = "4751838302089254401"
BYTES = "a" * 64
MATERIALISATION = Materialisation(storage_id=41, run_id="run-1", digest=BYTES)
EVALUATION = CheckEvaluation(
    succeeded=True, passed=True, run_id="run-1", target_storage_id=41, target_run_id="run-1", digest=BYTES
)


@pytest.fixture
def ask(candidates):
    def asked(
        *, step=Step.REPLAYED, materialisation=MATERIALISATION, evaluations=None, now=None, digest=BYTES, **facts
    ):
        made = candidates.facts(**facts)
        contract = candidates.contract()
        now = now or candidates.now
        stored = StoredEvidence(
            digest=digest, evidence_digest="e" * 64, facts=made, results=evaluate(made, contract, now=now)
        )
        return decide(
            step=step,
            lead_id=LEAD,
            contract=contract,
            stored=stored,
            materialisation=materialisation,
            evaluations=dict.fromkeys(Gate, EVALUATION) if evaluations is None else evaluations,
            now=now,
        )

    return asked


def whats(answer):
    assert isinstance(answer, Refusal)
    return [item.what for item in answer.missing]


def test_a_whole_chain_is_a_permit_for_exactly_this_evidence(ask):
    permit = ask()
    assert isinstance(permit, Permit)
    assert (permit.lead_id, permit.step, permit.materialisation_storage_id) == (LEAD, Step.REPLAYED, 41)


def test_live_is_refused_even_when_every_gate_of_today_passes(ask):
    answer = ask(step=Step.LIVE_SMALL)
    gates = {item.gate for item in answer.missing}
    assert gates == {Gate.HUMAN_APPROVAL, Gate.COPYABILITY, Gate.SKIP_BUDGET}
    assert any("approval missing" in what for what in whats(answer))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"succeeded": False}, "did not pass"),
        ({"passed": False}, "did not pass"),
        ({"run_id": None}, "reported from outside"),
        ({"run_id": ""}, "reported from outside"),
        ({"target_storage_id": 40}, "another materialisation"),
        ({"target_storage_id": None}, "another materialisation"),
        ({"target_run_id": "run-0"}, "another run"),
        ({"digest": "b" * 64}, "other bytes"),
        ({"digest": None}, "other bytes"),
    ],
)
def test_a_record_that_does_not_fit_is_no_record(ask, change, says):
    evaluations = {**dict.fromkeys(Gate, EVALUATION), Gate.DRAWDOWN: replace(EVALUATION, **change)}
    answer = ask(evaluations=evaluations)
    assert [item.gate for item in answer.missing] == [Gate.DRAWDOWN]
    assert says in whats(answer)[0]


def test_a_forged_record_does_not_outvote_the_numbers(ask, candidates):
    answer = ask(visible=candidates.measures(max_drawdown_marked_ratio=0.9))
    assert [item.gate for item in answer.missing] == [Gate.DRAWDOWN]
    assert "FAIL" in whats(answer)[0]


def test_nothing_recorded_names_every_gate(ask, candidates):
    answer = ask(evaluations={})
    assert [item.gate for item in answer.missing] == list(candidates.contract().required[Step.REPLAYED])


def test_a_wiped_materialisation_is_refused(ask):
    assert any("no run has materialised" in what for what in whats(ask(materialisation=None)))


def test_other_bytes_than_the_latest_materialisation_are_refused(ask):
    assert any("different bytes" in what for what in whats(ask(digest="c" * 64)))


def test_evidence_expires(ask, candidates):
    late = candidates.now + timedelta(days=2)
    assert any("expired" in what for what in whats(ask(now=late)))
    assert any("expired" in what for what in whats(ask(source=candidates.source(newest_page_at=None))))


def test_evidence_of_another_lead_is_refused(ask):
    assert any("about lead 1" in what for what in whats(ask(lead_id="1")))


def test_a_refusal_reads_as_a_list_of_things_to_do(ask):
    text = str(ask(evaluations={}))
    assert text.startswith(f"replayed of lead {LEAD} is refused:")
    assert "\n- sample_size: no run has evaluated it for this lead. Run the checks" in text


@pytest.fixture
def lineage():
    return Lineage(
        pages="1",
        positions="2",
        episodes="3",
        bars={"BTC/USDT:USDT|5m|2026-01": "4", "ETH/USDT:USDT|5m|2026-01": "5"},
        funding={},
        instruments={},
        split_manifest="6",
        round_trips="7",
        equity="8",
        study="9",
        policies={"a": "10"},
        fills="11",
        costs="12",
        venue="13",
        contract="14",
        code_version="0.1.0+abc",
    )


def test_the_evidence_digest_is_of_the_inputs_and_not_of_the_clock(candidates, lineage):
    def digest(lineage, **facts):
        made = candidates.facts(**facts)
        return evidence_digest(lineage, made, evaluate(made, candidates.contract(), now=candidates.now))

    first = digest(lineage)
    assert first == digest(replace(lineage, bars=dict(reversed(lineage.bars.items()))))
    assert first == digest(lineage, source=candidates.source(newest_page_at=candidates.now))
    assert first == digest(lineage, preflight=candidates.preflight(made_at=candidates.now))
    assert first != digest(lineage, preflight=candidates.preflight(seeds_count=300))
    assert first != digest(lineage, canary=candidates.canary(sessions=()))
    looked_again = candidates.incidents(looked_at=candidates.now, passes_count=501)
    assert first == digest(lineage, canary=candidates.canary(incidents=looked_again))
    assert first != digest(lineage, canary=candidates.canary(incidents=candidates.incidents(active=("x",))))
    assert first == "8bd2137cfac9144006cfb23d3d0565989fb4be67316d31eaed2cd4b235ef0095"
    for field in ("pages", "contract", "code_version", "venue"):
        assert first != digest(replace(lineage, **{field: "changed"}))
    assert first != digest(lineage, visible=candidates.measures(net_pnl_usdt=91.0))


def test_a_dirty_source_tree_has_no_evidence_digest(candidates, lineage):
    made = candidates.facts()
    with pytest.raises(PromotionRefused, match="source tree"):
        evidence_digest(
            replace(lineage, code_version="0.1.0+dirty"),
            made,
            evaluate(made, candidates.contract(), now=candidates.now),
        )
