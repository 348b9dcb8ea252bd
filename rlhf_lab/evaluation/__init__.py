"""Did it get better, and is the reward model right? Shares and errors, each with how far it may be trusted."""

from rlhf_lab.evaluation.estimates import Estimate, bootstrap, learning_curve, over_runs, paired_difference
from rlhf_lab.evaluation.over_optimisation import GoldCurve, fit_gold_curve
from rlhf_lab.evaluation.probes import PROBES, Edit, Probe, changes, edits_of, position_effect, probe_effect
from rlhf_lab.evaluation.rewards import (
    Bin,
    accuracy_ceiling,
    brier_floor,
    brier_score,
    calibration_error_floor,
    calibration_error_interval,
    confidence_and_correct,
    ensemble_disagreement,
    expected_accuracy,
    expected_calibration_error,
    fit_temperature,
    pair_accuracy,
    reliability_bins,
)
from rlhf_lab.evaluation.wins import (
    WinRate,
    blind_items,
    wilson_interval,
    win_rate,
    win_rate_by,
    win_rate_from_records,
)
