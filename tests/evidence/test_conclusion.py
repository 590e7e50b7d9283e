from __future__ import annotations

from copytrade_core.evidence.conclusion import Answer, conclude
from copytrade_core.evidence.findings import Finding, FindingCode
from copytrade_core.evidence.measures import measures
from copytrade_core.model.bar import PriceOrigin
from copytrade_core.model.measure import BootstrapSettings

BOOTSTRAP = BootstrapSettings(seed=1, resamples_count=200, block_mean_count=2, confidence_ratio=0.9)
GOOD_STRESS = {"slippage doubled": 12.0}


def asked(made, nets, *, origin=PriceOrigin.RECORDED, stressed=GOOD_STRESS, found=()):
    trips = [made.trip(pnl=net, entered_h=2 * i, exited_h=2 * i + 1) for i, net in enumerate(nets)]
    measured = measures(made.result(trips), BOOTSTRAP)
    return conclude(lead_id="1", policy="p", origin=origin, measured=measured, stressed_nets_usdt=stressed, found=found)


def test_a_clear_profit_that_survives_every_stress_is_a_yes(made):
    answer = asked(made, [3, 5, -1, 4, 6] * 8)
    assert answer.answer is Answer.YES
    assert answer.reasons == ()
    assert answer.sentence.startswith("After fees, slippage and delay it gained 136.00 USDT")


def test_enough_trades_that_lost_are_a_no(made):
    answer = asked(made, [1, -2, 1, -1] * 10)
    assert answer.answer is Answer.NO
    assert "it lost 10.00 USDT" in answer.sentence


def test_few_trades_are_no_evidence_whether_they_won_or_lost(made):
    assert asked(made, [3, 5, 4]).answer is Answer.NOT_ENOUGH_EVIDENCE
    assert asked(made, [-3, -5, -4]).answer is Answer.NOT_ENOUGH_EVIDENCE


def test_no_trade_is_said_plainly(made):
    answer = asked(made, [])
    assert answer.answer is Answer.NOT_ENOUGH_EVIDENCE
    assert answer.sentence == "No trade could be made from what is stored."


def test_a_simulated_market_never_answers(made):
    for nets in ([3, 5, -1, 4, 6] * 8, [1, -2] * 20):
        answer = asked(made, nets, origin=PriceOrigin.SIMULATED)
        assert answer.answer is Answer.NOT_ENOUGH_EVIDENCE
        assert "simulated" in answer.reasons[0]


def test_a_profit_that_dies_under_stress_is_not_a_yes(made):
    answer = asked(made, [3, 5, -1, 4, 6] * 8, stressed={"one bar later": -0.5})
    assert answer.answer is Answer.NOT_ENOUGH_EVIDENCE
    assert answer.reasons == ("Under stress (one bar later) the net is -0.50 USDT.",)


def test_a_sample_that_hides_open_losses_is_never_a_yes(made):
    for code in (FindingCode.SURVIVORSHIP, FindingCode.LOSS_AVERSION):
        blind = Finding(code=code, title="", text="", numbers=())
        assert asked(made, [3, 5, -1, 4, 6] * 8, found=(blind,)).answer is Answer.NOT_ENOUGH_EVIDENCE


def test_an_interval_that_includes_zero_is_named(made):
    answer = asked(made, [30, -28, 20, -21] * 10)
    assert any("includes zero" in reason for reason in answer.reasons)
